"""Hard inputs: small problems with the features of a large one, and numbers that expose faults.

Standard-normal inputs of one size miss many faults: short and odd lengths, a row that one key
dominates, equal keys, gradients with rows of zeros. An implementation is checked on these once for
all problems with the same features.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.hard_numbers import HALF_OF_KEYS, LOW, NUMBERS, RISING, TWICE
from suites.agreement.small_problems import (
    BASE,
    REUSED,
    Sizes,
    SmallProblems,
    capability_for,
    sizes_of,
)
from suites.agreement.small_rows import LONG_ROW, two_rows, with_rows
from suites.measure.inputs import Inputs, laid_out, make_inputs

LENGTHS: Final = {
    "equal": ("1", "7", "33", "64", "129"),
    "one query": ("1/1", "1/7", "1/33", "1/64", "1/256"),
    "fewer": ("1/65", "2/7", "7/256", "33/129", "64/65"),
    "more": ("7/1", "33/7", "65/64", "129/33"),
}
"""Tq/Tk by their relation: single and odd lengths, both sides of common block sizes, few queries
over many keys."""
LARGE_GRADIENT: Final = 64.0
"""Factor on the output's gradient: beyond the range of N(0,1), representable in float16."""
OTHER_SCALE: Final = 1.7
"""Factor on the scale where the problem gives one."""
OTHER_BIAS: Final = 0.6
"""Factor on the values of the bias, whose heads are also reversed: slopes of no usual series."""
PLAIN: Final = "standard-normal numbers"
"""Label of the first hard input whose memory is reused. It is the reference case: several probes
run on it alone."""
MANY: Final = "many outputs"
"""Label of the hard input with enough outputs for the scale slope in half precision."""
OUTPUTS: Final = 100_000
"""Elements that a slope or gain needs: with fewer its standard error exceeds the tolerance."""
SLOPE_ROWS: Final = 8192
"""Query rows at which the slope's standard error is below that of a scale that is 0.1 % off."""
ORDER_WARNINGS: Final = (
    ".*does not have a deterministic implementation",
    ".*operation is not deterministic because it uses CuBLAS",
    ".*defaults to a non-deterministic algorithm",
)
"""Starts of torch's warnings in deterministic mode (aten/src/ATen/Context.cpp, and for attention
native/transformers/cuda/attention_backward.cu)."""
MANY_KEYS, FEW_QUERIES = 2 * HALF_OF_KEYS, 33
"""Keys and queries where scores rise: several blocks of keys, whatever the block size of a kernel;
few queries suffice where lengths may differ."""


@dataclass(frozen=True, slots=True)
class HardInput:
    """One small problem and the numbers of its inputs.

    numbers     key in NUMBERS; empty: standard normal
    poisoned    torch.empty returns NaN-filled memory during the call
    same_call   the numbers overwrite those of the hard input before it, and its bound call is
                reused
    gradient    factor on the output's gradient
    expanded    the output's gradient is one number, expanded, as the gradient of a sum is
    zeros       rows of the output's gradient that are zero: `third` (every third), `others` (all
                but one); empty: none
    other_bias  the values of the bias differ from those of other hard inputs
    """

    label: str
    problem: Problem
    numbers: str = ""
    poisoned: bool = False
    same_call: bool = False
    gradient: float = 1.0
    expanded: bool = False
    zeros: str = ""
    other_bias: bool = False

    @property
    def has_extreme_scores(self) -> bool:
        """Whether scores reach hundreds: half precision rounds them by 0.5 and more."""
        return self.numbers in (RISING, TWICE, LOW)

    @property
    def place(self) -> str:
        """Where a fault was found, for its message."""
        return f"on a hard input ({self.label}: {self.problem})"

    def inputs(self, seed: int) -> Inputs:
        """Its tensors, all on the problem's device."""
        made = make_inputs(self.problem, purpose="hard", seed=seed)
        if self.numbers:
            drawn = (x.float().cpu() for x in (made.q, made.k, made.v))
            q, k, v = NUMBERS[self.numbers](*drawn)
            if self.has_extreme_scores:  # the same scores at every scale
                k = k / (self.problem.softmax_scale * self.problem.head_dim**0.5)
            q, k, v = (laid_out(x, self.problem) for x in (q, k, v))
            made = replace(made, q=q, k=k, v=v)
        if self.other_bias and made.bias is not None:
            values = OTHER_BIAS * made.bias.values.flip(0)
            made = replace(made, bias=replace(made.bias, values=values))
        return made if made.grad is None else replace(made, grad=self._gradient(made.grad))

    def _gradient(self, grad: Tensor) -> Tensor:
        grad = grad * self.gradient
        if self.expanded:
            return grad[:1, :1, :1, :1].expand_as(grad)
        rows = torch.arange(grad.shape[2], device=grad.device)
        if self.zeros == "third":
            grad[:, :, rows % 3 == 0] = 0
        elif self.zeros:
            grad[:, :, rows != grad.shape[2] // 2] = 0
        return grad


def hard_inputs(
    problem: Problem, implementation: Implementation, sizes: Sizes | None = None
) -> Iterator[HardInput]:
    """The hard inputs with a problem's features that are within an implementation's limits.

    sizes  of the small problems; None: the first of `sizes_of`
    """
    small = SmallProblems(problem, sizes or sizes_of(problem, implementation)[0])
    for each in _all(small, implementation):
        is_left = each.label in implementation.all_inexact_on
        if not is_left and accepts(implementation, each.problem):
            yield each


def accepts(implementation: Implementation, problem: Problem) -> bool:
    """Whether a problem is within an implementation's limits on the problem's device."""
    return not implementation.refusals(problem, capability_for(problem))


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Within this, torch.empty returns memory filled with NaN. torch may pick other kernels.

    Torch fills memory in its deterministic mode only. On NVIDIA devices it then warns of products
    by cuBLAS, sums by atomics and backward passes of attention; these warnings are suppressed.
    """
    before = torch.get_deterministic_debug_mode()
    with warnings.catch_warnings():
        for message in ORDER_WARNINGS:
            warnings.filterwarnings("ignore", message)
        # torch.use_deterministic_algorithms would import the compiler
        torch.set_deterministic_debug_mode("warn")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)


def _all(small: SmallProblems, implementation: Implementation) -> Iterator[HardInput]:
    base = small.base
    yield from _of_lengths(small)
    yield HardInput(PLAIN, base)
    for name in NUMBERS:
        if name not in (RISING, TWICE):
            yield HardInput(name, base, numbers=name, same_call=True)
    yield from _rising(small)
    if base.training:
        yield HardInput("large gradients", base, gradient=LARGE_GRADIENT)
        yield HardInput("a gradient that is one number, expanded", base, expanded=True)
        yield HardInput("a gradient with rows of zeros", base, zeros="third")
        yield HardInput("a gradient of one row", base, zeros="others")
    if single := small.of(BASE[small.relation], REUSED, **small.odd_heads):
        yield HardInput("batch 1", single)
    if base.scale is not None and "scale" not in implementation.fixed:
        yield HardInput("another scale", replace(base, scale=OTHER_SCALE * base.scale))
    if base.bias.kind != "none":
        yield HardInput("another bias", base, other_bias=True)
    # The slope is defined for attention and layers only.
    if base.dtype in ("float16", "bfloat16") and implementation.reference is None:
        yield from _many(small)


def _of_lengths(small: SmallProblems) -> Iterator[HardInput]:
    for lengths in LENGTHS[small.relation]:
        queries, _, keys = lengths.partition("/")
        if problem := small.of(int(queries), int(keys or queries)):
            yield HardInput(f"lengths {lengths}", problem, poisoned=True)


def _rising(small: SmallProblems) -> Iterator[HardInput]:
    """Scores that rise over several blocks of keys."""
    more = MANY_KEYS + FEW_QUERIES
    queries = {"equal": MANY_KEYS, "one query": 1, "fewer": FEW_QUERIES, "more": more}
    if problem := small.of(queries[small.relation], MANY_KEYS, batch=1):
        mask = problem.mask
        whole = mask.left is None and mask.packed_lengths is None
        if not whole and not small.sizes.own and not small.sizes.keeps_mask:
            problem = _half_visible(problem)
        yield HardInput(RISING, problem, numbers=RISING if whole else TWICE)


def _half_visible(problem: Problem) -> Problem:
    """The same with about half of the keys visible to a row; a window of one key stays one."""
    mask, half = problem.mask, HALF_OF_KEYS
    if mask.left is not None and mask.left > 1:
        symmetric = mask.right == mask.left - 1
        mask = replace(mask, left=half, right=half - 1 if symmetric else mask.right)
    if mask.documents is not None:
        mask = replace(mask, documents=(half, problem.key_length - half))
    made = replace(problem, mask=mask)
    if mask.rows is not None and len(mask.rows) > 1:
        made = with_rows(problem, two_rows(mask, 2 * half), mask)
    return problem if made.has_keyless_rows and not problem.has_keyless_rows else made


def _many(small: SmallProblems) -> Iterator[HardInput]:
    """Thousands of query rows. With one query each these would be thousands of batch rows."""
    base = small.base
    if small.relation == "one query":
        return
    rows = max(SLOPE_ROWS, OUTPUTS / base.value_size)
    batch = ceil(rows / (base.query_heads * base.query_length))
    if base.mask.rows is not None:
        repeats = ceil(rows / (base.query_heads * LONG_ROW[0]))
        yield HardInput(MANY, with_rows(base, (LONG_ROW,) * repeats, base.mask))
    elif many := small.of(BASE[small.relation], REUSED, batch=batch):
        yield HardInput(MANY, many)

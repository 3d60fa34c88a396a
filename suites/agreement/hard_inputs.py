"""Hard inputs: small problems with the features of a large one, and numbers that expose faults.

Standard-normal inputs of one size miss many faults: short and odd lengths, a row that one key
dominates, equal keys, memory that is not contiguous. An implementation is checked on these once for
each kind of mask, bias, dtype and pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import torch

from impls.interface import Implementation, Mask, Problem
from suites.agreement.hard_numbers import HALF_OF_KEYS, LOW, NUMBERS, RISING, TWICE
from suites.measure.inputs import Inputs, laid_out, make_inputs

LENGTHS: Final = ("1", "7", "33", "64", "129", "33/129", "129/33")
"""Tq/Tk: single and odd lengths, both sides of common block sizes, and unequal lengths."""
LARGE_GRADIENT: Final = 64.0
"""Factor on the output's gradient: beyond the range of N(0,1), representable in float16."""
DOCUMENT: Final = 21
"""Length of a document in a small problem."""
PLAIN: Final = "standard-normal numbers"
"""Label of the first hard input whose memory is reused. It is the reference case: several probes
run on it alone."""
MANY: Final = "many outputs"
"""Label of the hard input with enough outputs for the scale slope in half precision."""
OUTPUTS: Final = 100_000
"""Elements that a slope or gain needs: with fewer its standard error exceeds the tolerance."""
SLOPE_ROWS: Final = 8192
"""Query rows at which the slope's standard error is below that of a scale that is 0.1 % off."""
MANY_KEYS, FEW_QUERIES = 2 * HALF_OF_KEYS, 33
"""Keys and queries where scores rise: several blocks of keys, whatever the block size of a kernel;
few queries suffice."""
REUSED: Final = 65
"""Length of the hard inputs that are written, one after the other, into the same memory."""


@dataclass(frozen=True, slots=True)
class HardInput:
    """One small problem and the numbers of its inputs.

    numbers    key in NUMBERS; empty: standard normal
    poisoned   torch.empty returns NaN-filled memory during the call
    same_call  the numbers overwrite those of the hard input before it, and its bound call is reused
    gradient   factor on the output's gradient
    expanded   the output's gradient is one number, expanded, as the gradient of a sum is
    instead    used only where the hard input before it is refused
    """

    label: str
    problem: Problem
    numbers: str = ""
    poisoned: bool = False
    same_call: bool = False
    gradient: float = 1.0
    expanded: bool = False
    instead: bool = False

    @property
    def has_extreme_scores(self) -> bool:
        """Whether scores reach hundreds: half precision rounds them by 0.5 and more."""
        return self.numbers in (RISING, TWICE, LOW)

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
        if made.grad is None:
            return made
        grad = made.grad * self.gradient
        return replace(made, grad=grad[:1, :1, :1, :1].expand_as(grad) if self.expanded else grad)


def hard_inputs(problem: Problem, implementation: Implementation) -> Iterator[HardInput]:
    """The hard inputs with a problem's features that are within an implementation's limits."""
    refused_before = False
    for each in _all(problem):
        # The slope is defined for attention and layers only.
        useful = each.label != MANY or implementation.reference is None
        refused = not accepts(implementation, each.problem)
        if useful and not refused and (refused_before or not each.instead):
            yield each
        refused_before = refused


def accepts(implementation: Implementation, problem: Problem) -> bool:
    """Whether a problem is within an implementation's limits on the problem's device."""
    capability = None
    if problem.device.startswith("cuda"):
        capability = torch.cuda.get_device_capability(problem.device)
    return not implementation.refusals(problem, capability)


def in_other_layout(problem: Problem) -> Problem:
    """The same problem with its tensors in the other memory layout."""
    return replace(problem, layout="bhtd" if problem.layout == "bthd" else "bthd")


def kind_of(problem: Problem) -> Problem:
    """A small problem that is equal for all problems with the same features."""
    group = problem.query_heads // problem.key_heads
    heads = 2 if problem.key_heads > 1 or group == 1 else 1
    return replace(
        problem,
        batch=2,
        query_heads=heads * min(group, 4),
        key_heads=heads,
        query_length=REUSED,
        key_length=REUSED,
        mask=_small(problem.mask, REUSED),
    )


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Within this, torch.empty returns memory filled with NaN. torch may pick other kernels."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode(
        "warn"
    )  # torch.use_deterministic_algorithms imports the compiler
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def _all(problem: Problem) -> Iterator[HardInput]:
    base = kind_of(problem)
    for lengths in LENGTHS:
        queries, _, keys = lengths.partition("/")
        if keys and base.mask.documents is not None:
            continue  # documents need equal lengths
        small = _of_lengths(base, int(queries), int(keys or queries))
        yield HardInput(f"lengths {lengths}", small, poisoned=True)
    yield HardInput(PLAIN, base)
    for name in NUMBERS:
        if name not in (RISING, TWICE):
            yield HardInput(name, base, numbers=name, same_call=True)
    other = in_other_layout(base)
    yield HardInput(f"layout {other.layout}", other)
    yield from _rising(base)
    if base.training:
        yield HardInput("large gradients", base, gradient=LARGE_GRADIENT)
        yield HardInput("a gradient that is one number, expanded", base, expanded=True)
    yield HardInput("batch 1", replace(base, batch=1, mask=_small(problem.mask, REUSED)))
    yield HardInput("another scale", replace(base, scale=1.7 * base.softmax_scale))
    if base.query_heads == base.key_heads:
        yield HardInput("grouped heads", replace(base, query_heads=4, key_heads=2))
    if base.dtype in ("float16", "bfloat16"):
        yield HardInput("in float32", replace(base, dtype="float32"))
        yield HardInput(LOW, replace(base, dtype="float32"), numbers=LOW)
        rows = max(SLOPE_ROWS, OUTPUTS / base.value_size)
        batch = ceil(rows / (base.query_heads * REUSED))
        yield HardInput(MANY, replace(base, batch=batch))


def _rising(base: Problem) -> Iterator[HardInput]:
    """Scores that rise over several blocks of keys: for few queries, or for 520 where refused."""
    whole = base.mask.left is None and base.mask.documents is None
    half = replace(
        base.mask,
        left=None if base.mask.left is None else HALF_OF_KEYS,
        documents=None if base.mask.documents is None else (HALF_OF_KEYS, HALF_OF_KEYS),
    )
    every = replace(base, batch=1, query_length=MANY_KEYS, key_length=MANY_KEYS, mask=half)
    numbers = RISING if whole else TWICE
    if half.documents is None:  # documents need equal lengths
        yield HardInput(RISING, replace(every, query_length=FEW_QUERIES), numbers=numbers)
    yield HardInput(RISING, every, numbers=numbers, instead=half.documents is None)


def _of_lengths(base: Problem, queries: int, keys: int) -> Problem:
    mask = _small(base.mask, keys)
    return replace(base, query_length=queries, key_length=keys, mask=mask)


def _small(mask: Mask, length: int) -> Mask:
    """A mask of the same kind that still hides some keys at this length."""
    documents = mask.documents
    if documents is not None:
        whole, rest = divmod(length, DOCUMENT)
        documents = (*[DOCUMENT] * whole, *([rest] if rest else []))
    return Mask(
        left=None if mask.left is None else min(mask.left, 16),
        right=None if mask.right is None else min(mask.right, 5),
        padding=None if mask.padding is None else 0.5,
        documents=documents,
    )

"""Hard inputs: small problems with the features of a large one, and numbers that are no accident.

Standard-normal inputs at one size leave much unasked: short and odd lengths, a row that one key
dominates, keys that are all alike, memory that is not contiguous. Every implementation answers
these once for each kind of mask, bias, dtype and pass that it is asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import torch
from torch import Tensor

from impls.interface import Implementation, Mask, Problem
from suites.agreement.drift import OUTPUTS
from suites.measure.inputs import Inputs, laid_out, make_inputs

LENGTHS: Final = ("1", "7", "33", "64", "129", "33/129", "129/33")
"""Tq/Tk: single and odd ones, both sides of the blocks that kernels work in, both orders."""
LARGE_GRADIENT: Final = 64.0
"""What is beyond any range set for standard-normal numbers, and within float16's."""
DOCUMENT: Final = 21
"""Length of a document in a small problem."""
PLAIN: Final = "standard-normal numbers"
"""The label of the hard input that is none: what stands in the memory that is used again."""
RISING: Final = "scores that rise"
"""The label of the one over several blocks of keys, each with larger scores than the last."""
TWICE: Final = "scores that rise twice"
"""The same where a row sees half of the keys at most: from the bottom again in the second half."""
LOW: Final = "scores far below zero"
"""The label of the one whose scores exp takes for nothing, in float32: 0 is no safe maximum."""
MANY: Final = "many outputs"
"""The label of the one that is large enough to tell the slope of its error in half precision."""
SLOPE_ROWS: Final = 8192
"""Query rows at which chance makes less of a slope than a scale that is 0.1 % off does."""
MANY_KEYS, FEW_QUERIES = 520, 33
"""Keys of which kernels see several blocks, whatever these are; few queries will do."""
HALF_OF_KEYS: Final = MANY_KEYS // 2
"""What a window reaches back and documents are long where scores rise."""
HIGHEST: Final = 200.0
"""The largest of scores that rise."""
LOWEST: Final = -270.0
"""About what scores far below zero are: exp(LOWEST + 100) is nothing, too."""
REUSED: Final = 65
"""The length at which different numbers stand, one after the other, in the same memory."""


@dataclass(frozen=True, slots=True)
class HardInput:
    """One small problem and what is special about it.

    numbers    which numbers stand in its inputs, by name in NUMBERS; empty: standard normal
    gradient   how many times as large the output's gradient is
    expanded   whether that gradient is one number, expanded, as that of a sum is
    instead    whether it is asked only of those who refuse the one before it
    poisoned   whether memory that is handed out unwritten holds NaN meanwhile
    same_call  whether it stands where the hard input before it stood, for the same bound call
    """

    label: str
    problem: Problem
    numbers: str = ""
    poisoned: bool = False
    same_call: bool = False
    gradient: float = 1.0
    expanded: bool = False
    instead: bool = False

    def inputs(self, seed: int) -> Inputs:
        """Its tensors."""
        made = make_inputs(self.problem, purpose="hard", seed=seed)
        if self.numbers:
            q, k, v = NUMBERS[self.numbers](made.q.float(), made.k.float(), made.v.float())
            if self.numbers in (RISING, TWICE, LOW):  # up to there whatever the scale is
                k = k / (self.problem.softmax_scale * self.problem.head_dim**0.5)
            q, k, v = (laid_out(x, self.problem) for x in (q, k, v))
            made = replace(made, q=q, k=k, v=v)
        if made.grad is None:
            return made
        grad = made.grad * self.gradient
        return replace(made, grad=grad[:1, :1, :1, :1].expand_as(grad) if self.expanded else grad)


def hard_inputs(problem: Problem, implementation: Implementation) -> Iterator[HardInput]:
    """Those within an implementation's reach that share the features of a problem."""
    refused_before = False
    for each in _all(problem):
        told = each.label != MANY or implementation.reference is None  # its slope is of attention
        refused = not is_able(implementation, each.problem)
        if told and not refused and (refused_before or not each.instead):
            yield each
        refused_before = refused


def is_able(implementation: Implementation, problem: Problem) -> bool:
    """Whether it takes a problem like one that it was let in to, on the same device."""
    capability = (99, 0) if problem.device == "cuda" else None
    return not implementation.refusals(problem, capability)


def in_other_layout(problem: Problem) -> Problem:
    """The same with its tensors laid out the other way."""
    return replace(problem, layout="bhtd" if problem.layout == "bthd" else "bthd")


def kind_of(problem: Problem) -> Problem:
    """The problem that stands for all with the same features: answered once, it is answered."""
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
    """Within this, memory that is handed out unwritten holds NaN, and kernels may be others."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("warn")  # its newer sibling imports the compiler first
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def _all(problem: Problem) -> Iterator[HardInput]:
    base = kind_of(problem)
    for lengths in LENGTHS:
        queries, _, keys = lengths.partition("/")
        if keys and base.mask.documents is not None:
            continue  # documents are of queries and keys alike
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
    """Several blocks of keys with larger scores each, for few queries, or else for as many."""
    whole = base.mask.left is None and base.mask.documents is None
    half = replace(
        base.mask,
        left=None if base.mask.left is None else HALF_OF_KEYS,
        documents=None if base.mask.documents is None else (HALF_OF_KEYS, HALF_OF_KEYS),
    )
    every = replace(base, batch=1, query_length=MANY_KEYS, key_length=MANY_KEYS, mask=half)
    numbers = RISING if whole else TWICE
    if half.documents is None:  # they are of queries and keys alike
        yield HardInput(RISING, replace(every, query_length=FEW_QUERIES), numbers=numbers)
    yield HardInput(RISING, every, numbers=numbers, instead=half.documents is None)


def _of_lengths(base: Problem, queries: int, keys: int) -> Problem:
    mask = _small(base.mask, keys)
    return replace(base, query_length=queries, key_length=keys, mask=mask)


def _small(mask: Mask, length: int) -> Mask:
    """A mask of the same kind that still hides something at this length."""
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


def _one_dominant_key(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores beyond what exp can take, and one key in the middle that nearly every row follows."""
    q, k = 8 * q, 4 * k
    k[:, :, k.shape[2] // 2] = 2 * q.mean((1, 2), keepdim=True).sign()[:, 0]
    q = q + 6 * k[:, :1, k.shape[2] // 2 : k.shape[2] // 2 + 1].sign()
    return q, k, v


def _outliers(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every 97th number is 30 times as large."""
    return tuple(_with_outliers(x) for x in (q, k, v))  # type: ignore[return-value] # three of them


def _with_outliers(x: Tensor) -> Tensor:
    flat = x.flatten().clone()
    flat[::97] *= 30
    return flat.reshape(x.shape)


def _equal_scores(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return q, k[:, :, :1].expand_as(k).clone(), v


def _shifted_column(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    v = v.clone()
    v[..., 0] += 100
    return q, k, v


def _rising_scores(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From 0 to `HIGHEST` over the keys at the usual scale; exp in float32 ends at 88."""
    return _rising_over(k.shape[2], q, k, v)


def _rising_twice(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _rising_over(HALF_OF_KEYS, q, k, v)


def _rising_over(keys: int, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Over so many keys, and from the bottom again."""
    dim = q.shape[3]
    rise = torch.linspace(0, HIGHEST / 4 / dim**0.5, keys)[torch.arange(k.shape[2]) % keys]
    signs = 1 - 2 * (torch.arange(dim) % 2)
    return 4 * signs + q / 8, rise[:, None] * signs + k / 8, v


def _low_scores(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """About `LOWEST` at the usual scale."""
    size = (-LOWEST / q.shape[3] ** 0.5) ** 0.5
    return q / 8 + size, k / 8 - size, v


NUMBERS: Final[dict[str, Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]]] = {
    "one dominant key": _one_dominant_key,
    "outliers": _outliers,
    "equal scores": _equal_scores,
    "a shifted column of v": _shifted_column,
    LOW: _low_scores,
    RISING: _rising_scores,
    TWICE: _rising_twice,
}
"""What stands in q, k and v, made from standard-normal numbers in float32."""

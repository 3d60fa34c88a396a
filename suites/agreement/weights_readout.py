"""The attention weights of an implementation, read out of its outputs.

An output is a sum of values times weights. Where v holds one-hot rows, column c of the output is
the weight of the key whose row is 1 in column c. v has Dv columns, so that each call gives the
weights of Dv keys. q, k, mask, bias, softcap and sink are those of the problem in every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.bounds.by_implementation import expected_of
from suites.agreement.gate import RMS_ALLOWED, WORST_ALLOWED, errors_of
from suites.agreement.visible_keys import visible_intervals
from suites.measure.inputs import Inputs, laid_out
from suites.records.weights import (
    MOST_CELLS,
    MOST_HEADS,
    MOST_POSITIONS,
    Deviation,
    HeadWeights,
    Kind,
    Weight,
    Weights,
)

SIGNIFICANT: Final = 1 / 64
"""A visible key of a smaller expected weight, relative to the row's largest, is not called lost:
half precision may round its weight to zero."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadOut:
    """Weights [B, Hq, Tq, Tk] in float64 on the CPU, and which of them are wrong.

    found     by the implementation
    expected  by the reference
    wrong     beyond the rounding bound; none where the whole tensor agrees
    calls     that read them out
    """

    found: Tensor
    expected: Tensor
    wrong: Tensor
    calls: int


def read_out(
    implementation: Implementation,
    function: Callable[..., Tensor],
    problem: Problem,
    inputs: Inputs,
) -> ReadOut:
    """The weights of an implementation and those of its reference.

    function  the implementation as a function of q, k and v, with this problem's other arguments
    """
    found, expected, wrong = [], [], []
    for v in one_hot_values(problem):
        with torch.no_grad():
            out = function(inputs.q.clone(), inputs.k.clone(), v.clone()).detach()
        block = replace(inputs, v=v)
        right = expected_of(implementation, problem, block, None)
        (error,) = errors_of((out,), right)
        value, bound = right.values["out"], right.bounds["out"]
        agrees = error.rms_share <= RMS_ALLOWED and error.worst_share <= WORST_ALLOWED
        off = ~((out.double() - value).abs() <= RMS_ALLOWED * bound)
        found.append(out.double().cpu())
        expected.append(value.cpu())
        wrong.append((off & (not agrees)).cpu())
    keys = problem.key_length
    of_found, of_expected, of_wrong = (
        torch.cat(each, -1)[..., :keys] for each in (found, expected, wrong)
    )
    return ReadOut(of_found, of_expected, of_wrong, calls=len(found))


def one_hot_values(problem: Problem) -> Iterator[Tensor]:
    """Values [B, Hk, Tk, Dv]: the first ones show keys 0 to Dv - 1, the next ones the keys after.

    All key heads have the same: an output head shows the weights of its own query head.
    """
    columns = problem.value_size
    for first in range(0, problem.key_length, columns):
        hot = torch.eye(problem.key_length)[:, first : first + columns]
        hot = torch.nn.functional.pad(hot, (0, columns - hot.shape[1]))
        yield laid_out(hot.expand(problem.batch, problem.key_heads, *hot.shape), problem)


def summary(implementation: Implementation, name: str, problem: Problem, read: ReadOut) -> Weights:
    """The part of the weights that is sent: the comparison, and those that are drawn."""
    visible = visible_pairs(problem)
    approximate = implementation.approximates
    deviations = () if approximate else tuple(_deviations(read, visible))
    seeing = visible.any(-1).expand(read.found.shape[:3])
    off = (read.found - read.expected).abs().nan_to_num(float("inf"))
    return Weights(
        implementation=name,
        problem=problem,
        approximate=approximate,
        agrees=not approximate and not deviations,
        largest=_weight(read, _worst(off)),
        deviations=deviations,
        sums=_ends(read.found.sum(-1)[seeing]),
        wanted=_ends(read.expected.sum(-1)[seeing]),
        keyless=int((~visible.any(-1)).sum()),
        calls=read.calls,
        heads=tuple(_drawn(read, problem)),
    )


def visible_pairs(problem: Problem) -> Tensor:
    """Visible keys of each query, [B, 1, Tq, Tk]."""
    start, end = visible_intervals(problem)[:, None, :, None].unbind(-1)
    keys = torch.arange(problem.key_length)
    return (start <= keys) & (keys < end)


def _deviations(read: ReadOut, visible: Tensor) -> Iterator[Deviation]:
    """The ways in which weights are wrong, each with the weight that is furthest off."""
    top = read.expected.amax(-1, keepdim=True)
    nan, wrong = read.found.isnan(), read.wrong & ~read.found.isnan()
    lost = wrong & visible & (read.found == 0) & (read.expected >= SIGNIFICANT * top)
    hidden = wrong & ~visible
    other = wrong & visible & ~lost
    off = (read.found - read.expected).abs().nan_to_num(float("inf"))
    ways: tuple[tuple[Kind, Tensor], ...] = (
        ("nan", nan),
        ("hidden", hidden),
        ("lost", lost),
        ("other", other),
    )
    for kind, which in ways:
        if which.any():
            worst = _weight(read, _worst(off.masked_fill(~which, -1.0)))
            yield Deviation(kind=kind, worst=worst, queries=int(which.any(-1).sum()))


def _worst(off: Tensor) -> tuple[int, ...]:
    """The place of the largest number: batch row, head, query, key."""
    # torch.unravel_index would import sympy.
    return tuple(int(each) for each in np.unravel_index(int(off.argmax()), tuple(off.shape)))


def _weight(read: ReadOut, place: tuple[int, ...]) -> Weight:
    b, head, query, key = place
    found, expected = float(read.found[place]), float(read.expected[place])
    return Weight(batch_row=b, head=head, query=query, key=key, found=found, expected=expected)


def _ends(sums: Tensor) -> tuple[float, float] | None:
    return (float(sums.min()), float(sums.max())) if sums.numel() else None


def _drawn(read: ReadOut, problem: Problem) -> Iterator[HeadWeights]:
    """The heads that are drawn, in the order of batch rows."""
    rows, keys = (min(size, MOST_POSITIONS) for size in read.found.shape[2:])
    count = max(1, min(MOST_HEADS, MOST_CELLS // (rows * keys)))
    spans = visible_intervals(problem)
    places = [(b, head) for b in range(problem.batch) for head in range(problem.query_heads)]
    for b, head in places[:count]:
        found, expected = read.found[b, head, :rows], read.expected[b, head, :rows]
        yield HeadWeights(
            batch_row=b,
            head=head,
            weights=tuple(map(tuple, found[:, :keys].tolist())),
            expected=tuple(map(tuple, expected[:, :keys].tolist())),
            sums=tuple(found.sum(-1).tolist()),
            wanted=tuple(expected.sum(-1).tolist()),
            visible=tuple((int(start), int(end)) for start, end in spans[b, :rows].tolist()),
        )

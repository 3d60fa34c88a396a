"""Attention weights in sentences: whether they are the reference's, and where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Final

from reports.views.numbers import three_digits
from reports.views.text import abbreviated, counted
from suites.records.weights import MOST_POSITIONS, Deviation, Weight, Weights

SUM_OF_ONE: Final = 0.02
"""A sum closer to 1 is called 1: a row of a thousand half-precision weights is this far off."""


def answer(found: Weights) -> str:
    """The one sentence: agreement with the largest difference, or what differs."""
    name = abbreviated(found.implementation)
    if found.fault:
        return f"{name} gave no weights on {found.problem}: {found.fault}"
    if found.deviations:
        first, *_ = found.deviations
        return f"{name} differs from the reference: {deviation(first, found)}."
    largest = _largest(found)
    if found.approximate:
        return (
            f"{name} approximates its reference: the largest difference of a weight is {largest}."
        )
    return f"{name} agrees with the reference: the largest difference of a weight is {largest}."


def _largest(found: Weights) -> str:
    return "0" if found.largest is None else size(found.largest.off)


def size(value: float) -> str:
    """A difference without its sign: 3e-08, or 0.12."""
    return f"{abs(value):.2g}"


def deviation(each: Deviation, found: Weights) -> str:
    """As "query 5 gives weight 0.12 to key 7, which the mask causal hides (head 1; 3 queries)"."""
    worst = each.worst
    got, wanted = apart(worst)
    said = {
        "nan": f"gives the weight NaN to key {worst.key}, expected {wanted}",
        "hidden": f"gives weight {got} to key {worst.key}, which the mask {_mask(found)} hides",
        "lost": f"gives no weight to key {worst.key}, expected {wanted}",
        "other": f"gives weight {got} to key {worst.key}, expected {wanted}",
    }[each.kind]
    more = f"; {counted(each.queries, 'query').replace('querys', 'queries')} in all"
    return f"query {worst.query} {said} ({place(worst.batch_row, worst.head, found)}{more})"


def _mask(found: Weights) -> str:
    return f"{found.problem.mask}"


def apart(weight: Weight) -> tuple[str, str]:
    """Both values, with as many digits as they need to differ."""
    texts = ("", "")
    for digits in range(3, 18):
        texts = f"{weight.found:.{digits}g}", f"{weight.expected:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def place(batch_row: int, head: int, found: Weights) -> str:
    """The head, and the batch row where there are several."""
    return f"batch row {batch_row}, head {head}" if found.problem.batch > 1 else f"head {head}"


def notes(found: Weights) -> list[str]:
    """Further deviations, the sums of the weights, what is drawn, and how it was read."""
    more = (f"Also, {deviation(each, found)}." for each in found.deviations[1:])
    return [*more, *_sums(found), *_left_out(found), _how(found)]


def _sums(found: Weights) -> Iterator[str]:
    if found.sums is not None and found.wanted is not None:
        ours, theirs = _range(found.sums), _range(found.wanted)
        own = f"The weights of a query sum to {ours}"
        if found.problem.sink:
            own += "; the sink takes the rest"
        yield f"{own}." if ours == theirs else f"{own}; by the reference to {theirs}."
    if found.keyless:
        many = found.keyless > 1
        rows = "batch rows" if found.problem.batch > 1 else ""
        of = f" of the {rows}" if rows else ""
        yield (
            f"{found.keyless} {'queries' if many else 'query'}{of} {'see' if many else 'sees'} no "
            f"key: {'their' if many else 'its'} weights are 0 by the reference."
        )


def _range(ends: tuple[float, float]) -> str:
    if any(map(isnan, ends)):
        return "NaN"
    low, high = (three_digits(round(value, 6)) for value in ends)
    if all(abs(value - 1) < SUM_OF_ONE for value in ends):
        return "1"
    return low if low == high else f"{low} to {high}"


def _left_out(found: Weights) -> Iterator[str]:
    problem = found.problem
    heads = problem.batch * problem.query_heads
    longest = max(problem.query_length, problem.key_length)
    drawn = []
    if len(found.heads) < heads:
        drawn.append(f"{len(found.heads)} of {heads} heads")
    if longest > MOST_POSITIONS:
        drawn.append(f"the first {MOST_POSITIONS} positions of {longest}")
    if drawn:
        yield f"Drawn are {' and '.join(drawn)}; all weights are compared."


def _how(found: Weights) -> str:
    calls = counted(found.calls, "call")
    return f"Weights are the outputs of {calls} with one-hot values and the same q and k."

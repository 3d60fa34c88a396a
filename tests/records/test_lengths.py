"""The measured lengths of a family."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from impls.interface import Problem
from suites.records.cases import Case
from suites.records.lengths import (
    FEWEST_LENGTHS,
    MOST_LENGTHS,
    MOST_PROBLEMS,
    alike,
    family,
    measured,
    nearest,
    spread,
    worth,
)


def decoding(steps: int) -> list[Case]:
    """One query over a cache that grows by one key a step."""
    return [Case(problem=Problem.parse(f"h4 t1/{64 + n} d32"), took_ms=1.0) for n in range(steps)]


def test_problems_that_differ_in_length_only_are_one_family() -> None:
    one, other = (Problem.parse(f"h4 t{length} d32 causal") for length in (128, 512))
    assert family(one) == family(other)


def test_another_field_or_another_query_length_is_another_family() -> None:
    base = Problem.parse("h4 t128 d32 causal")
    others = ("h4 t128 d32", "h4 t128 d32 causal train", "h4 t1/128 d32 causal")
    assert all(family(base) != family(Problem.parse(text)) for text in others)


def test_few_lengths_are_all_measured() -> None:
    cases = decoding(MOST_LENGTHS)
    assert set(measured(cases)) == {case.problem for case in cases}


def test_of_many_lengths_both_ends_and_twelve_in_all_are_measured() -> None:
    lengths = sorted(problem.key_length for problem in measured(decoding(500)))
    assert len(lengths) == MOST_LENGTHS
    assert (lengths[0], lengths[-1]) == (64, 563)


def test_padding_of_other_batches_is_of_the_same_family() -> None:
    cases = [
        Case(problem=Problem.parse(f"b2 h4 t{length} d32 padding:0-{length}/0-{length // 2}"))
        for length in range(64, 164)
    ]
    assert len(measured(cases)) == MOST_LENGTHS


def test_many_families_have_fewer_lengths_each() -> None:
    cases = [
        Case(problem=Problem.parse(f"h4 t{length} d{dim}"))
        for length in range(64, 164)
        for dim in (8, 16, 24, 32, 40)
    ]
    counts = Counter(problem.head_dim for problem in measured(cases))
    assert set(counts.values()) == {max(FEWEST_LENGTHS, MOST_PROBLEMS // 5)}


def test_equal_weights_give_even_steps_in_logarithms() -> None:
    chosen = spread(dict.fromkeys(range(64, 4097), 1.0), 13)
    ratios = [later / earlier for earlier, later in pairwise(chosen)]
    assert max(ratios) < 1.7


def test_a_length_of_more_weight_is_chosen_before_its_neighbours() -> None:
    sizes = dict.fromkeys(range(100, 200), 1.0) | {141: 500.0}
    assert 141 in spread(sizes, 3)


def test_problems_with_the_longest_time_come_first() -> None:
    short = Case(problem=Problem.parse("h4 t128 d32"), took_ms=1.0, count=2)
    long = Case(problem=Problem.parse("h4 t128 d32 causal"), took_ms=5.0)
    assert measured([short, long]) == (long.problem, short.problem)


def test_the_time_of_an_unmeasured_length_counts_for_the_nearest_one() -> None:
    cases = [
        Case(problem=Problem.parse(f"h4 t{length} d32"), took_ms=float(length))
        for length in (100, 120, 400)
    ]
    found = worth(cases, [cases[0].problem, cases[2].problem])
    assert found == {cases[0].problem: 220.0, cases[2].problem: 400.0}


def test_the_nearest_length_is_the_nearest_by_ratio() -> None:
    low, high = Problem.parse("t100"), Problem.parse("t1000")
    assert nearest(Problem.parse("t300"), (low, high)) == low
    assert nearest(Problem.parse("t330"), (low, high)) == high


def test_batches_of_one_shape_with_other_padding_are_alike() -> None:
    one, other, plain = (
        Problem.parse(f"b2 t64 {mask}")
        for mask in ("padding:0-64/0-50", "padding:0-64/0-9", "full")
    )
    assert alike(one) == alike(other) != alike(plain)
    assert family(one) != family(other)

"""What to use: one name for all sizes, or a name for each span of one size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from reports.analysis.ranking.recommendations import Recommendation, recommendations
from reports.rows.families import HEADS, LENGTH
from suites.records.record import Record
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import over_budget, two

LENGTHS = (128, 256, 512, 1024, 2048)
CROSSING = {"short": square(1.0), "long": linear(600.0)}


def only(*args: object, **run: object) -> Recommendation:
    (found,) = recommendations(made(*args, **run))  # type: ignore[arg-type] # passed through
    return found


def spans(found: Recommendation) -> list[tuple[str, int, int]]:
    return [(each.name, each.first, each.last) for each in found.spans]


def test_one_that_is_the_fastest_everywhere_has_one_span() -> None:
    found = only(problems(LENGTHS, (1, 8)), {"a": linear(1.0), "b": linear(2.0)})
    assert spans(found) == [("a", 128, 2048)]
    assert (found.axis, found.decided, len(found.ranked)) == (None, 10, 10)
    assert found.largest == Problem.parse("h8 t2048 full")


def test_a_change_over_lengths_divides_them_at_the_crossing() -> None:
    found = only(problems(LENGTHS), CROSSING)
    assert spans(found) == [("short", 128, 512), ("long", 1024, 2048)]
    assert found.axis == LENGTH
    (change,) = found.changes
    assert change.crossing.size == pytest.approx(600, rel=0.01)


def test_each_number_of_heads_has_its_own_crossing_within_one_division() -> None:
    found = only(problems(LENGTHS, (1, 8)), CROSSING)
    assert spans(found) == [("short", 128, 512), ("long", 1024, 2048)]
    assert len(found.changes) == 2


def test_a_change_over_heads_divides_the_heads() -> None:
    few, many = (
        (lambda p: p.query_heads**2 * p.key_length),
        (lambda p: 3.0 * p.query_heads * p.key_length),
    )
    found = only(problems((256, 512), (1, 2, 4, 8)), {"few": few, "many": many})
    assert found.axis == HEADS
    assert spans(found) == [("few", 1, 2), ("many", 4, 8)]


def test_three_may_follow_each_other() -> None:
    times = {**CROSSING, "constant": lambda _: 900000.0}
    found = only(problems(LENGTHS), times)
    assert [each[0] for each in spans(found)] == ["short", "long", "constant"]


def test_an_order_without_a_rule_has_no_spans_and_names_the_safest() -> None:
    turns = {
        name: lambda problem, place=place: 1.0 + (hash(problem.key_length // 128 + place) % 3 == 0)
        for place, name in enumerate(("a", "b", "c"))
    }
    found = only(problems((128, 256, 384, 512, 640, 768, 896)), turns)
    assert found.spans == ()
    assert sum(found.wins.values()) == 7
    assert found.safest is not None
    assert found.safest[1] == pytest.approx(2.0, rel=0.02)


def test_sizes_at_which_two_are_not_distinguished_belong_to_the_more_frequent_one() -> None:
    close = {
        "a": linear(1.0),
        "b": lambda p: p.key_length * (1.0005 if p.key_length > 128 else 0.5),
    }
    found = only(problems(LENGTHS), close)
    assert spans(found) == [("b", 128, 2048)]
    assert found.decided < len(found.ranked)


def test_a_problem_that_one_did_not_reach_is_left_aside() -> None:
    last = Problem.parse("h8 t2048 full")

    def change(record: Record) -> Record | None:
        if record.problem == last and record.implementation == "a":
            return over_budget(last, "a") if record.session == 0 else None
        return record

    found = only(problems(LENGTHS), {"a": linear(1.0), "b": linear(2.0)}, change=change)
    assert spans(found) == [("a", 128, 1024)]
    assert found.left == {last: ("a",)}


def test_panels_and_masks_have_their_own() -> None:
    asked = [*problems(LENGTHS[:2]), *problems(LENGTHS[:2], rest="causal")]
    entries = (entry("a"), entry("b"), entry("layer", "layers"))
    times = {"a": linear(1.0), "b": linear(2.0), "layer": linear(0.5)}
    found = recommendations(made(asked, times, made=entries))
    kinds = [(each.panel, str(each.largest.mask), each.spans[0].name) for each in found]
    assert kinds == [
        ("attention", "full", "a"),
        ("attention", "causal", "a"),
        ("layers", "full", "layer"),
        ("layers", "causal", "layer"),
    ]


def test_one_problem_has_one_ranking() -> None:
    from reports.analysis.run_analysis import Analysis

    run, records = two(1.3)
    (found,) = recommendations(Analysis(run, [replace(each) for each in records]))
    assert spans(found) == [("base", 256, 256)]
    assert found.ranked[found.largest].rivals[0].name == "other"


def test_a_lead_within_the_noise_floor_is_not_decided() -> None:
    def noisy(record: Record) -> Record:
        off = 1.2 if record.session % 2 else 0.85
        return replace(record, twin_ms=tuple(off * each for each in record.twin_ms))

    times = {"a": linear(1.0), "b": linear(1.1)}
    assert only(problems((256,)), times).decided == 1
    assert only(problems((256,)), times, change=noisy).decided == 0


def test_one_that_is_near_the_fastest_everywhere_is_better_than_a_patchwork() -> None:
    patchwork = {
        "even": lambda _: 1.1,
        "odd": lambda problem: 1.0 if problem.key_length % 256 else 2.0,
        "other": lambda problem: 2.0 if problem.key_length % 256 else 1.0,
    }
    found = only(problems((128, 256, 384, 512, 640)), patchwork)
    assert spans(found) == [("even", 128, 640)]
    assert found.near
    assert found.worst == pytest.approx(1.1, rel=0.01)
    assert not only(problems(LENGTHS), CROSSING).near

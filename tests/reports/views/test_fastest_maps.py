from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from impls.interface import Problem
from reports.analysis.processes import Twins
from reports.analysis.ranking.ranking import ranking, rankings
from reports.analysis.ranking.ratios import Ratios, ratios_of
from reports.analysis.run_analysis import Analysis
from reports.rows.panels import LAYERS
from reports.views.charts.chart import Map
from reports.views.charts.fastest_maps import maps
from suites.records.record import CAUSES, Record, Status
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import over_budget

LENGTHS = (128, 256, 512, 1024)
TIMES = {"short": square(1.0), "long": linear(400.0)}


def drawn(analysis: Analysis) -> list[Map]:
    return maps(analysis, rankings(analysis, ratios_of(analysis)))


def test_a_tile_is_the_fastest_of_its_problem() -> None:
    (found,) = drawn(made(problems(LENGTHS, (4, 8)), TIMES))

    assert found.key == "fastest_by_length_and_heads"
    tiles = {(tile.x, tile.y): tile.name for tile in found.tiles}
    assert len(tiles) == 8
    assert all(name == ("short" if x < 400 else "long") for (x, _), name in tiles.items())
    assert not any(tile.undecided for tile in found.tiles)
    assert set(found.looks) == {"short", "long"}
    assert found.facets["mask"] == "full"
    assert "heads" not in found.facets


def test_a_decided_tile_says_the_lead_and_an_undecided_one_the_others() -> None:
    (found,) = drawn(made(problems((128, 1024)), {**TIMES, "slow": linear(5e3)}))
    assert [tile.lead for tile in found.tiles] == ["next 3.1x", "next 2.6x"]
    (found,) = drawn(made(problems(LENGTHS), {"one": linear(1.0), "other": linear(1.0005)}))
    assert {tile.lead for tile in found.tiles} <= {"or other", "or one"}


def test_pairs_decide_the_fastest_where_medians_disagree() -> None:
    took = {"base": (1.0, 1.1, 1.2, 1.3, 1.4), "other": (0.99, 1.089, 1.2006, 1.287, 1.386)}
    logs = np.log([[took[name][each] for name in took] for each in range(5)])
    apart = logs[:, None, :] - logs[:, :, None]
    ratios = Ratios(
        tuple(took),
        tuple(range(1, 6)),
        apart,
        delta=0.001,
        twins=Twins(),
        records=dict.fromkeys(took, ()),
    )
    analysis = made(problems((512,)), {name: linear(1.0) for name in took})
    rows = {
        row.implementation: replace(row, median_ms=median(took[row.implementation]))
        for row in analysis.measurements
    }
    found = ranking(ratios, rows)
    assert found is not None
    assert found.name == "other"
    assert found.decided


def test_looks_are_those_of_every_chart() -> None:
    from reports.views.charts.palette import looks

    (found,) = drawn(made(problems(LENGTHS), {**TIMES, "a_slow_one": linear(9e9)}))

    assert found.looks["short"] == looks(["short", "long", "a_slow_one"])["short"]


def test_tiles_without_a_significant_order_are_undecided() -> None:
    (found,) = drawn(made(problems(LENGTHS), {"one": linear(1.0), "other": linear(1.0005)}))

    assert all(tile.undecided for tile in found.tiles)
    assert "not distinguished" in found.tiles[0].hover
    assert "undecided at 128 with 8 heads" in found.alt


def test_one_session_decides_nothing() -> None:
    (found,) = drawn(made(problems(LENGTHS), TIMES, sessions=1))

    assert all(tile.undecided for tile in found.tiles)


def test_implementations_without_a_shared_session_are_undecided() -> None:
    def alone(record: Record) -> Record | None:
        others = (1, 2) if record.implementation == "short" else (3, 4)
        return record if record.session in (0, *others) else None

    (found,) = drawn(made(problems(LENGTHS), TIMES, change=alone))

    assert all(tile.undecided for tile in found.tiles)
    assert "in other sessions" in found.tiles[0].hover


def test_one_problem_alone_and_one_implementation_alone_have_no_map() -> None:
    assert drawn(made(problems((512,)), TIMES)) == []
    assert drawn(made(problems(LENGTHS), {"short": square(1.0)})) == []


def test_a_gap_is_no_tile_and_a_wrong_one_no_winner() -> None:
    def change(record: Record) -> Record | None:
        if record.problem.key_length == 256:
            return None
        if record.problem.key_length == 1024 and record.implementation == "long":
            if record.session:
                return None
            return replace(
                record,
                status="wrong",
                cause="wrong_output",
                reason="out: 41 times what rounding explains",
            )
        return record

    (found,) = drawn(made(problems(LENGTHS), TIMES, change=change))

    assert {tile.x: tile.name for tile in found.tiles} == {128: "short", 512: "long", 1024: "short"}
    assert "no other was measured" in found.tiles[-1].hover


def test_a_rival_that_the_budget_left_out_leaves_a_tile_undecided() -> None:
    def unreached(record: Record) -> Record | None:
        if record.implementation != "long" or record.problem.key_length != 1024:
            return record
        return None if record.session else over_budget(record.problem, record.implementation)

    (found,) = drawn(made(problems(LENGTHS), TIMES, change=unreached))

    assert [tile.undecided for tile in found.tiles] == [False, False, False, True]
    assert "no other was measured\nnot reached: long" in found.tiles[-1].hover
    assert "where another was not reached" in found.note


def test_an_implementation_that_agrees_and_is_not_timed_yet_leaves_a_tile_undecided() -> None:
    def untimed(record: Record) -> Record | None:
        late = record.implementation == "slow" and record.problem.key_length == 128
        return None if late and record.session else record

    (found,) = drawn(made(problems(LENGTHS), {**TIMES, "slow": linear(9e3)}, change=untimed))

    assert [tile.undecided for tile in found.tiles] == [True, False, False, False]


@pytest.mark.parametrize(
    "status", ["refused", "missing", "wrong", "failed", "crashed", "out_of_memory", "timed_out"]
)
def test_a_rival_with_a_fault_or_limit_does_not_leave_a_tile_undecided(status: Status) -> None:
    def out(record: Record) -> Record | None:
        if record.implementation != "long":
            return record
        return (
            None
            if record.session
            else replace(record, status=status, cause=CAUSES[status][0], reason="its own")
        )

    ranked = rankings(analysis := made(problems(LENGTHS), TIMES, change=out), ratios_of(analysis))

    assert [each.decided for each in ranked.values()] == [True] * 4


def test_times_of_0_ms_are_never_the_fastest() -> None:
    def still(record: Record) -> Record:
        if record.times_ms and record.implementation == "long":
            return replace(record, times_ms=(0.0,) * 5)
        return record

    analysis = made(problems(LENGTHS), TIMES, change=still)

    assert {each.name for each in rankings(analysis, ratios_of(analysis)).values()} == {"short"}


def test_each_kind_of_problem_has_its_own_map() -> None:
    asked = [
        Problem.parse(f"h{heads} t{length} {rest}")
        for rest in ("full", "causal", "causal bf16", "causal d128", "causal train", "causal b2")
        for heads in ("4", "8", "8/2")
        for length in (128, 256)
    ]
    found = drawn(made(asked, TIMES))

    assert len(found) == 12  # grouped heads apart
    assert len({(each.key, each.label) for each in found}) == 12
    assert sum("4 query heads for each key head" in each.label for each in found) == 6


def test_layers_have_their_own_and_approximations_none() -> None:
    entries = (
        entry("short"),
        entry("long"),
        entry("inner", LAYERS),
        entry("outer", LAYERS),
        entry("near", "approximations"),
        entry("nearer", "approximations"),
    )
    more = {each.name: linear(9.0) for each in entries[2:]}
    found = drawn(made(problems(LENGTHS), {**TIMES, **more}, made=entries))

    assert [each.key for each in found] == [
        "fastest_by_length_and_heads",
        "layers_fastest_by_length_and_heads",
    ]

"""Forecasts of memory beside the lengths that ran out of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from impls.interface import Problem
from reports.analysis.growth.growth import growth
from reports.analysis.growth.memory import Memory, inputs, measured, memory, room_of
from reports.analysis.growth.series import families
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.longest_table import longest_table
from reports.views.growth_tables import memory_table
from reports.views.parts.growth import sentences
from suites.records.record import CHECK, Cause, Record
from tests.saved_run import MACHINE, TWO, small_run

GIB = 2**30


def problem(length: int, device: str = "cpu") -> Problem:
    return Problem.parse(f"b1 h4 t{length} d64 full fp32 {device}")


def base_memory(peaks: Mapping[int, int | None], **out: Any) -> Memory | None:
    """Of `base` with these bytes by length; None is out of memory, for the cause given."""
    analysis = analysed(peaks, machine=MACHINE, **out)
    (family,) = families(analysis)
    return memory(family.series[0], measured(analysis), analysis)


def analysed(
    peaks: Mapping[int, int | None], *, machine: Mapping[str, Any] = MACHINE, **out: Any
) -> Analysis:
    records = [record(length, peak, **out) for length, peak in peaks.items()]
    problems = [each.problem for each in records]
    run, _ = small_run(problems=problems, made=TWO[:1], sessions=0)
    plan = replace(run.plan, memory_limit=GIB)
    return Analysis(replace(run, plan=plan, machine=dict(machine)), records)


def cells(analysis: Analysis) -> dict[str, str]:
    """The one row of the table, by column."""
    table = memory_table(analysis.plan, growth(analysis))
    (row,) = table.rows
    return {head: cell.text for head, cell in zip(table.head, row.cells, strict=True)}


def record(
    length: int, peak: int | None, cause: Cause = "memory_limit", device: str = "cpu"
) -> Record:
    return Record(
        session=CHECK,
        problem=problem(length, device),
        implementation="base",
        status="out_of_memory" if peak is None else "ok",
        cause=cause if peak is None else "",
        reason="asked for too much" if peak is None else "",
        peak_bytes=peak,
        resident_bytes=None if peak is None else 3 * peak,
    )


def square(*lengths: int) -> dict[int, int | None]:
    return {length: 36 * length**2 + 1028 * length + 4 for length in lengths}


def test_the_longest_that_fits_fills_the_machine_with_inputs_and_bytes() -> None:
    found = base_memory(square(128, 256, 512, 1024))
    assert found is not None
    assert found.room == MACHINE["memory_bytes"]
    assert found.fits is not None

    def taken(length: int) -> int:
        return 3 * 4 * length * 64 * 4 + 36 * length**2 + 1028 * length + 4

    assert taken(found.fits) <= 8 * GIB < taken(found.fits + 1)
    assert found.ratio == 3


def test_inputs_are_q_k_and_v_and_in_training_the_gradient_handed_in() -> None:
    assert inputs(Problem.parse("b2 h8/2 t512 d64 bf16"), 512) == 2 * 512 * 64 * (8 + 2 + 2) * 2
    assert inputs(Problem.parse("b1 h4 t512 d64 train"), 100) == 4 * 4 * 100 * 64 * 4
    assert inputs(Problem.parse("b1 h4 t1/512 d64"), 100) == 4 * 64 * (1 + 100 + 100) * 4


def test_what_ran_out_as_forecast_agrees() -> None:
    found = base_memory({**square(512, 1024, 2048, 4096), 8192: None})
    assert found is not None
    (tried,) = found.tried
    assert (tried.length, tried.agrees) == (8192, True)
    assert tried.forecast == 36 * 8192**2 + 1028 * 8192 + 4


def test_what_ran_out_against_the_forecast_contradicts() -> None:
    found = base_memory({**square(128, 256, 512), 1024: None})
    assert found is not None
    assert [each.agrees for each in found.tried] == [False]


def test_what_the_engine_foresaw_was_not_tried() -> None:
    found = base_memory({**square(1024, 2048, 4096), 8192: None}, cause="foreseen_memory")
    assert found is not None
    assert [each.agrees for each in found.tried] == [None]


def test_a_length_that_ran_out_half_way_leaves_the_others() -> None:
    found = base_memory({**square(128, 256), 512: None, **square(1024, 2048)})
    assert found is not None
    assert str(found.pieces[0].polynomial) == "36 T² + 1028 T + 4"
    assert [each.length for each in found.tried] == [512]


def test_three_lengths_without_a_polynomial_still_give_a_forecast() -> None:
    found = base_memory({**square(1024, 2048, 4096), 8192: None})
    assert found is not None
    assert found.pieces[0].polynomial is None
    assert [each.forecast for each in found.tried] == [36 * 8192**2 + 1028 * 8192 + 4]


def test_bytes_without_a_polynomial_are_extrapolated_by_the_fastest_growth() -> None:
    slow = base_memory({128: 10**6, 256: 1_100_003, 512: 1_200_000, 1024: 1_250_001})
    assert slow is not None
    assert slow.pieces[0].polynomial is None
    assert slow.exponent is not None
    assert slow.exponent < 1
    assert slow.fits is not None
    slope = 50_001 / 512 + 3 * 4 * 64 * 4
    assert slow.fits == pytest.approx(8 * GIB / slope, rel=0.01)
    fast = base_memory({128: 10**6, 256: 5_656_854, 512: 32_000_007, 1024: 181_019_336})
    assert fast is not None
    assert fast.exponent is not None
    assert fast.fits == pytest.approx(1024 * (8 * GIB / 181e6) ** (1 / fast.exponent), rel=0.01)


def test_decreasing_bytes_are_not_extrapolated_downwards() -> None:
    found = base_memory({length: 10**6 - length for length in (128, 256, 512, 1024)})
    assert found is not None
    assert str(found.pieces[0].polynomial) == "-T + 1000000"
    assert found.fits == (8 * GIB - (10**6 - 1024)) // (3 * 4 * 64 * 4)


def test_bytes_of_nothing_leave_the_inputs() -> None:
    found = base_memory({128: 0, 256: 0, 512: 0})
    assert found is not None
    assert found.fits == 8 * GIB // (3 * 4 * 64 * 4)
    assert found.ratio is None


def test_one_length_or_no_bytes_have_no_memory() -> None:
    run, records = small_run(sessions=1)
    without = [replace(each, peak_bytes=None) for each in records]
    analysis = Analysis(run, without)
    lines = [line for family in families(analysis) for line in family.series]
    assert lines
    assert [memory(line, measured(analysis), analysis) for line in lines] == [None] * len(lines)


def test_memory_of_a_device_is_its_own_and_may_be_unknown() -> None:
    machine = {"memory_bytes": 8, "devices": [{"device": "cuda", "memory_bytes": 5}]}
    assert room_of(machine, "cpu") == 8
    assert room_of(machine, "cuda") == 5
    assert room_of(machine, "mps") is None
    assert room_of({}, "cpu") is None


GPU = {**MACHINE, "devices": [{"device": "cuda", "name": "Example", "memory_bytes": 3 * GIB}]}


def test_forecasts_on_a_device_are_compared_with_its_memory_and_include_the_inputs() -> None:
    least = 3 * GIB - 3 * 4 * 16384 * 64 * 4  # without the inputs at 16384
    for rows, agrees in ((least // 16384, "contradicts"), (least // 16384 + 1, "agrees")):
        peaks = {length: rows * length for length in (1024, 2048, 4096)} | {16384: None}
        found = cells(analysed(peaks, machine=GPU, device="cuda"))["tried"]
        assert found == (
            "measured up to 4096; 16384 would take 3.00 GiB with its inputs, of 3.00 GiB of memory "
            f"of the cuda device and ran out: {agrees}"
        )


def test_a_device_of_unknown_memory_is_compared_with_nothing() -> None:
    peaks = {**square(1024, 2048, 4096), 8192: None}
    unknown = analysed(peaks, device="cuda")
    (found,) = growth(unknown)
    assert found.memory is not None
    assert [each.agrees for each in found.memory.tried] == [None]
    assert cells(unknown)["tried"] == (
        "measured up to 4096; 8192 would take 2.28 GiB with its inputs, the memory of the cuda "
        "device is not known, and ran out: nothing to compare with"
    )
    untried = cells(analysed(peaks, machine=GPU, device="cuda", cause="foreseen_memory"))["tried"]
    assert untried.endswith(
        "2.28 GiB with its inputs, of 3.00 GiB of memory of the cuda device: not tried"
    )


def test_a_forecast_without_a_polynomial_is_capped() -> None:
    slow = {128: 10**6, 256: 1_100_003, 512: 1_200_000, 1024: 1_250_001}
    assert cells(analysed(slow))["longest that fits"] == "beyond 65536"
    fast = {128: 10**6, 256: 5_656_854, 512: 32_000_007, 1024: 181_019_336}
    assert cells(analysed(fast))["longest that fits"].startswith("about 47")
    falling = {length: 10**6 - length for length in (128, 256, 512, 1024)}
    assert cells(analysed(falling))["longest that fits"] == "beyond 65536"
    exact = square(128, 256, 512, 1024)
    assert cells(analysed(exact))["longest that fits"] == "15390"


def test_a_forecast_by_a_polynomial_is_capped_as_any_other() -> None:
    linear = {length: 260 * length for length in (128, 256, 512, 1024)}
    assert cells(analysed(linear))["longest that fits"] == "beyond 65536"


def test_a_polynomial_of_three_lengths_is_marked_unchecked() -> None:
    linear = {length: 8192 * length + 3145728 for length in (128, 256, 512)}
    assert cells(analysed(linear))["longest that fits"] == (
        "beyond 32768 (three lengths, unchecked)"
    )
    only_square = {length: 64 * length**2 for length in (128, 256, 512)}
    assert cells(analysed(only_square))["longest that fits"] == "11561 (three lengths, unchecked)"
    (said,) = [each for each in sentences(growth(analysed(linear))) if "polynomial" in each]
    assert said.endswith("in the length, exactly; 1 of these from three lengths, unchecked.")


def test_the_caption_says_what_beyond_is() -> None:
    analysis = analysed(square(128, 256, 512))
    caption = memory_table(analysis.plan, growth(analysis)).caption
    assert "capped at 64 times the longest measured length (beyond)" in caption


def test_a_step_between_close_lengths_is_no_power_that_overflows() -> None:
    found = base_memory({4096: 1, 4097: 10**9, 8192: None})
    assert found is not None
    assert found.exponent is not None
    assert found.exponent > 1000
    assert found.fits is not None
    assert [each.agrees for each in found.tried] == [True]


@pytest.mark.parametrize("peaks", [(0, 0, 0, 0), (0, 0, 0, 5), (5, 0, 0, 0), (0, 7), (0, 0)])
def test_bytes_of_nothing_have_a_row(peaks: tuple[int, ...]) -> None:
    made: dict[int, int | None] = dict(zip((128, 256, 512, 1024), peaks, strict=False))
    found = cells(analysed({**made, 2048: None}))
    assert found["longest that fits"]
    assert "2048 would take " in found["tried"]
    assert found["bytes above the inputs at length T"]


def test_a_run_that_attempts_lengths_beyond_the_memory_prints_the_longest_of_each() -> None:
    peaks = {length: 36 * length**2 + 1028 * length + 4 for length in (512, 1024, 2048, 4096)}
    analysis = analysed({**peaks, 8192: None}, cause="memory_limit")
    assert longest_table(analysis) == []
    plan = replace(analysis.plan, attempts=True)
    console = Console(width=160, record=True, file=StringIO())
    attempted = Analysis(replace(analysis.run, plan=plan), analysis.records)
    console.print(*longest_table(attempted))
    text = console.export_text()
    expected = cells(analysis)
    assert expected["longest that fits"] in text
    assert "8192 would take 2.26 GiB" in text
    assert "ran out: agrees" in text

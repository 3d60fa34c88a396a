"""The difference between a script and a session in foretold savings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from scipy.special import stdtrit

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.sums import contexts, script_costs
from reports.analysis.sums.estimates import Saving
from reports.analysis.sums.rows import StepRow
from reports.views import steps as sentences
from suites.records.cases import Case, Step
from suites.records.record import Record
from tests.reports.analysis.test_steps import CASES, STEP, TOOK, noisy
from tests.saved_run import peak_bytes, timed_run

QUANTILE = float(stdtrit(contexts.PAIRS, 0.975))
ONE = (CASES[0],)


def saving(cases: tuple[Case, ...], *, recorded: bool = True) -> Saving:
    """Of chunked in place of sdpa_flash for the first case."""
    steps = (Step(name=STEP, took_ms=(50.0, 51.0)),) if recorded else ()
    (row,) = Analysis(*timed_run(noisy, cases, steps=steps)).steps
    if not recorded:
        return next(each.saving for each in row.alone if each.name == "chunked" and each.saving)
    return next(each.saving for each in row.single_changes if each.name == "chunked")


def half(found: Saving) -> float:
    assert found.ms.low is not None
    assert found.ms.high is not None
    return (found.ms.high - found.ms.low) / 2


def test_the_scatter_of_both_implementations_joins_the_interval_of_a_script() -> None:
    case = ONE[0]
    now, then = (case.count * TOOK[case.problem, name] for name in ("sdpa_flash", "chunked"))
    expected = QUANTILE * contexts.SCATTER * math.hypot(now, then)
    plain = half(saving(ONE, recorded=False))
    assert half(saving(ONE)) == pytest.approx(math.hypot(plain, expected), rel=0.03)


def test_calls_that_took_another_time_in_the_script_widen_it() -> None:
    far = replace(ONE[0], took_ms=1.3 * TOOK[ONE[0].problem, "sdpa_flash"])
    near = replace(ONE[0], took_ms=1.01 * TOOK[ONE[0].problem, "sdpa_flash"])
    ratio = half(saving((far,))) / half(saving((near,)))
    assert ratio == pytest.approx(math.log(1.3) / contexts.SCATTER, rel=0.1)


def test_each_implementation_is_a_change_of_its_own_for_each_problem() -> None:
    steps = (Step(name=STEP),)
    (row,) = Analysis(*timed_run(noisy, CASES, steps=steps)).steps
    found = {(each.cases, each.name): each.saving.ms.value for each in row.single_changes}
    assert set(found) == {(c, n) for c in ((0,), (1,)) for n in ("chunked", "naive")}
    assert found[(1,), "chunked"] == pytest.approx(12 * (1.5 - 0.5), rel=0.05)
    assert found[(0,), "chunked"] == pytest.approx(4 * (2.0 - 3.0), rel=0.05)


LAYER = 20.0
MORE = {"sdpa_flash": 0.0, "chunked": 0.3, "naive": 1.0}
"""Milliseconds by which a call slows the layer behind it."""


def in_layer(of: Problem, name: str, session: int) -> float:
    """The time of a call with a layer behind it; the layer differs between sessions."""
    return noisy(of, name, session) + LAYER + session + MORE[name]


def layered(*cases: Case, **options: Any) -> StepRow:
    """The row of a recorded script whose calls were timed in a layer, too."""
    steps = (Step(name=STEP, took_ms=(50.0, 51.0)),)
    (row,) = Analysis(*timed_run(noisy, cases, steps=steps, in_layer=in_layer, **options)).steps
    return row


@pytest.fixture
def _free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change costs nothing in a script beyond what layers show."""
    for name in ("MAPPED", "LOOK_UP_MS", "LOOK_UP_IN_LAYERS_MS"):
        monkeypatch.setattr(script_costs, name, 0.0)


def single(row: StepRow, case: int, name: str) -> Saving:
    """The saving of one implementation for the problem of one case."""
    return next(e.saving for e in row.single_changes if e.cases == (case,) and e.name == name)


@pytest.mark.usefixtures("_free")
def test_a_saving_counts_what_a_call_does_to_the_layer_behind_it() -> None:
    plain, found = saving(ONE), layered(*ONE)
    change = next(each.saving for each in found.single_changes if each.name == "chunked")
    assert change.ms.value == pytest.approx(plain.ms.value - 4 * MORE["chunked"], rel=0.02)
    assert found.now is not None
    assert change.share.value == pytest.approx(change.ms.value / found.now.time.value)
    assert change.of_step is not None
    assert change.of_step.value == pytest.approx(change.ms.value / 50.5)


@pytest.mark.usefixtures("_free")
def test_the_time_in_attention_is_that_of_the_calls_alone() -> None:
    steps = (Step(name=STEP),)
    (plain,) = Analysis(*timed_run(noisy, CASES, steps=steps)).steps
    found = layered(*CASES)
    assert found.now == plain.now
    assert [each.time for each in found.alone] == [each.time for each in plain.alone]
    assert found.mix is not None
    assert plain.mix is not None
    assert found.mix.time == plain.mix.time
    assert found.mix.saving is not None
    assert plain.mix.saving is not None
    less = 12 * MORE["chunked"]
    assert found.mix.saving.ms.value == pytest.approx(plain.mix.saving.ms.value - less, rel=0.02)


@pytest.mark.usefixtures("_free")
def test_a_saving_with_a_layer_has_a_part_of_itself_and_of_the_time_as_half_width() -> None:
    case, found = ONE[0], layered(*ONE)
    change = next(each.saving for each in found.single_changes if each.name == "naive")
    took = case.count * TOOK[case.problem, "sdpa_flash"]
    part, of_time = contexts.OF_SAVING * change.ms.value, contexts.OF_TIME * took
    assert half(change) == pytest.approx(math.hypot(part, of_time), rel=0.05)


@pytest.mark.usefixtures("_free")
def test_recorded_calls_far_from_the_measured_ones_widen_it() -> None:
    far = replace(ONE[0], took_ms=2.0 * TOOK[ONE[0].problem, "sdpa_flash"])
    near, wide = (
        next(each.saving for each in layered(case).single_changes if each.name == "naive")
        for case in (ONE[0], far)
    )
    ratio = half(wide) / half(near)
    assert ratio == pytest.approx(math.log(2.0) / contexts.OF_SAVING, rel=0.1)


def test_a_case_between_measured_lengths_has_differences_with_a_layer_too() -> None:
    def ms(of: Problem, name: str, session: int) -> float:
        return {"sdpa_flash": 1.0, "chunked": 2.0}[name] * of.key_length / 1000

    def both(of: Problem, name: str, session: int) -> float:
        return ms(of, name, session) * 10 + session / 100

    problems = [Problem.parse(f"h1 t{length} causal fp32 cpu") for length in (1000, 2000, 4000)]
    case = Case(problem=Problem.parse("h1 t3000 causal fp32 cpu"), step=STEP, count=2)
    names = ("sdpa_flash", "chunked")
    options: dict[str, Any] = {"problems": problems, "names": names, "in_layer": both}
    (row,) = Analysis(*timed_run(ms, (case,), steps=(Step(name=STEP),), **options)).steps
    (change,) = row.single_changes
    assert change.saving.ms.value == pytest.approx(2 * 10 * (3.0 - 6.0), rel=0.01)


@pytest.mark.usefixtures("_free")
def test_an_implementation_without_a_time_in_a_layer_is_compared_by_its_calls() -> None:
    steps = (Step(name=STEP),)
    run, records = timed_run(noisy, ONE, steps=steps, in_layer=in_layer)
    bare = [replace(r, in_layer_ms=()) if r.implementation == "naive" else r for r in records]
    found = {
        each.name: each.saving.ms.value for each in Analysis(run, bare).steps[0].single_changes
    }
    assert found["naive"] == pytest.approx(4 * (2.0 - 6.0), rel=0.02)
    assert found["chunked"] == pytest.approx(4 * (2.0 - 3.0 - MORE["chunked"]), rel=0.02)


def test_the_mix_is_chosen_by_what_calls_do_to_the_layer_too() -> None:
    """Chunked is a third of the time for the window, and slows the layer by more than that."""

    def slowed(of: Problem, name: str, session: int) -> float:
        return in_layer(of, name, session) + 2.0 * (name == "chunked")

    steps = (Step(name=STEP),)
    (plain,) = Analysis(*timed_run(noisy, CASES, steps=steps)).steps
    (found,) = Analysis(*timed_run(noisy, CASES, steps=steps, in_layer=slowed)).steps
    assert plain.mix is not None
    assert plain.mix.names == ("sdpa_flash", "chunked")
    assert found.mix is not None
    assert found.mix.names == ("sdpa_flash", "sdpa_flash")


def test_a_short_call_within_the_noise_of_the_layer_has_a_mix() -> None:
    """The layer with the candidate is faster by more than the whole call takes."""

    def faster(of: Problem, name: str, session: int) -> float:
        return LAYER - (5.0 + session / 10) * (name == "chunked")

    steps = (Step(name=STEP),)
    (found,) = Analysis(*timed_run(noisy, CASES, steps=steps, in_layer=faster)).steps
    assert found.mix is not None
    assert found.mix.names == ("chunked", "chunked")
    assert found.mix.saving is not None
    assert found.mix.saving.ms.value == pytest.approx(16 * 5.3, rel=0.01)


def test_savings_that_are_not_differences_of_the_times_are_said() -> None:
    (plain,) = Analysis(*timed_run(noisy, CASES, steps=(Step(name=STEP),))).steps
    said = "Savings include how a call slows the layer after it"
    assert any(each.startswith(said) for each in sentences.notes(layered(*CASES)))
    assert not any(each.startswith(said) for each in sentences.notes(plain))


@pytest.mark.usefixtures("_free")
def test_each_look_up_of_a_step_costs_time(monkeypatch: pytest.MonkeyPatch) -> None:
    free = single(layered(*CASES), 1, "chunked").ms
    monkeypatch.setattr(script_costs, "LOOK_UP_MS", 0.1)
    monkeypatch.setattr(script_costs, "LOOK_UP_IN_LAYERS_MS", 0.01)
    found = single(layered(*CASES), 1, "chunked").ms
    assert free.value - found.value == pytest.approx(16 * 0.1 + 4 * 0.01)  # 12 replaced, 4 others
    assert found.high is not None
    assert free.high is not None
    assert found.high < free.high + 1.6


@pytest.mark.usefixtures("_free")
def test_pages_may_be_mapped_anew_in_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    free, case = single(layered(*ONE), 0, "naive").ms, ONE[0]
    monkeypatch.setattr(script_costs, "MAPPED", 0.5)
    found = single(layered(*ONE), 0, "naive").ms
    pages = case.count * peak_bytes(case.problem, "naive") / script_costs.PAGE_BYTES
    further = 0.5 * pages * script_costs.PAGE_MS
    assert found.value == free.value
    assert found.high == free.high
    assert free.low is not None
    assert found.low is not None
    below = math.hypot(free.value - free.low, further)
    assert found.value - found.low == pytest.approx(below)


@pytest.mark.usefixtures("_free")
def test_pages_that_were_mapped_in_layers_may_stay_in_the_script() -> None:
    def mapped(record: Record) -> Record:
        timed = record.session and record.implementation == "naive"
        return replace(record, in_layer_faults=1000.0 if timed else 0.0)

    steps = (Step(name=STEP),)
    run, records = timed_run(noisy, ONE, steps=steps, in_layer=in_layer)
    free, found = (
        single(Analysis(run, own).steps[0], 0, "naive").ms
        for own in (records, list(map(mapped, records)))
    )
    fewer = ONE[0].count * 1000 * script_costs.PAGE_MS
    assert free.high is not None
    assert found.high is not None
    above = math.hypot(free.high - free.value, fewer)
    assert found.high - found.value == pytest.approx(above)
    assert found.low == free.low


def test_kept_memory_is_not_mapped_anew() -> None:
    run, records = timed_run(noisy, ONE, steps=(Step(name=STEP),), in_layer=in_layer)
    kept = [replace(r, kept_bytes=r.peak_bytes) for r in records]
    found = [single(Analysis(run, own).steps[0], 0, "naive").ms for own in (records, kept)]
    assert found[0].value == found[1].value
    assert found[0].low is not None
    assert found[1].low is not None
    assert found[0].low < found[1].low

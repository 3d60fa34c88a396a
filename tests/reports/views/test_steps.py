"""Sentences about steps and cases, the same in every output."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.run_analysis import Analysis
from reports.views import cases, first_screen, steps
from reports.views.charts.steps import MOST_STACKS, bars, step_charts
from reports.views.parts.steps import section
from suites.records.cases import OTHER_MASK, Case
from tests.reports.steps_run import CASES, FULL, MODEL, RECORDED, WINDOW, steps_run
from tests.saved_run import PROBLEMS, small_run, timed_run


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """The made-up run of two steps."""
    return Analysis(*steps_run())


def test_a_recorded_step_has_its_share_the_mix_and_what_is_left_out(analysis: Analysis) -> None:
    recorded, model = steps.lines(analysis)

    assert recorded[0].startswith(f"{RECORDED}: attention takes ")
    assert recorded[0].endswith(
        " of the 80.0 ms step, by sdpa, the fastest single implementation, in 3 of 4 cases."
    )
    assert recorded[1].startswith("Best mix: ")
    assert "which saves " in recorded[1]
    assert " % [" in recorded[1]
    assert "of the step (local_window for 12 x window layer; sdpa for 6 x encoder" in recorded[1]
    assert "Interpolated over length: 1 of 3 cases." in recorded[2]
    assert "No time: very long (length 9000 is outside the measured 512 to 1024)." in recorded[2]
    assert (
        "Cannot be measured: 2 calls in a step, 1.50 ms when recorded (dropout 0.1)." in recorded[2]
    )
    assert recorded[3].startswith("Put the mix in: python run_bench.py export ")
    assert model[0].startswith(f"{MODEL}: attention takes ")
    assert "step, by" not in model[0]


def test_a_saving_that_is_not_shown_is_not_claimed() -> None:
    def alike(_of: object, name: str, session: int) -> float:
        return 1 + (session * (3 if name == "naive" else 7) % 5) / 40

    case = Case(problem=FULL, step="step")
    (found,) = steps.lines(Analysis(*timed_run(alike, [case], names=("sdpa", "naive"))))

    assert not any("which saves" in line for line in found)


def test_a_mix_that_is_the_single_best_one_is_named_once() -> None:
    times = {"sdpa": 2.0, "naive": 1.0}
    cases = [Case(problem=each, step="step") for each in (FULL, WINDOW)]
    run, records = timed_run(lambda _, name, __: times[name], cases, names=tuple(times))
    (found,) = steps.lines(Analysis(run, records))
    assert found[1].startswith("All by naive: ")
    assert not any("mix" in line for line in found)


def test_too_few_times_leave_what_was_recorded() -> None:
    case = Case(problem=FULL, step="my.py", count=2, took_ms=3.0)
    (row,) = Analysis(*timed_run(lambda *_: 1.0, [case])).steps
    none = replace(row, now=None, best=None, mix=None)
    expected = "attention took 6.00 ms when recorded; too few of its calls have a time here"
    assert steps.first(none) == f"{expected} (--budget)"
    assert list(steps.better(none)) == []


def test_cases_with_the_mask_of_another_batch_are_counted() -> None:
    other = Case(
        problem=FULL, step="step", label="b", scaled=f"{OTHER_MASK}, of 0.9 times its pairs"
    )
    cases = [Case(problem=FULL, step="step", label="a"), other]
    (found,) = steps.lines(Analysis(*timed_run(lambda *_: 1.0, cases)))
    assert any("1 of 2 cases have the times of the nearest measured mask" in line for line in found)


@pytest.mark.parametrize(("took_ms", "said"), [(0.5, False), (2.0, True), (0.1, True)])
def test_calls_that_took_another_time_in_the_script_are_pointed_out(
    took_ms: float, *, said: bool
) -> None:
    case = Case(problem=FULL, step="step", took_ms=took_ms)
    run, records = timed_run(lambda *_: 0.5, [case])
    (found,) = steps.lines(Analysis(run, records))

    assert any("In the script the calls took" in line for line in found) == said


def test_threads_are_named_where_there_are_several() -> None:
    found = steps.answers(Analysis(*steps_run(threads=(1, 2))))

    assert [each.label for each in found][:2] == [f"{RECORDED}, 1 thread", f"{RECORDED}, 2 threads"]


def test_the_chart_stacks_every_case_up_to_the_sum(analysis: Analysis) -> None:
    chart = step_charts(analysis)[0]
    *stacks, total = chart.series

    assert [each.name for each in stacks] == [
        "12 x window layer",
        "6 x encoder self-attention",
        "short decoder",
    ]
    for place, (_, found) in enumerate(bars(analysis.steps[0])):
        assert sum(each.x[place] for each in stacks) == pytest.approx(sum(found.by_case))
        assert total.x[place] == found.time.value
        assert total.x[place] == pytest.approx(sum(found.by_case), rel=1e-3)
    assert chart.rows[0].startswith("now: sdpa\n")
    assert chart.rows[1].startswith("best mix\n")


def test_many_cases_share_the_last_stack() -> None:
    many = [
        Case(problem=each, step="step", label=f"layer {place}")
        for place, each in enumerate(PROBLEMS[: MOST_STACKS + 2])
    ]
    (chart,) = step_charts(Analysis(*timed_run(lambda *_: 1.0, many)))

    stacks = [each.name for each in chart.series if each.drawn == "stacked"]
    assert len(stacks) == MOST_STACKS
    assert stacks[-1] == "3 other cases"


def test_the_tables_have_every_case_with_its_source(analysis: Analysis) -> None:
    found = section(analysis)

    assert found is not None
    assert found.early
    own = [row for table in found.tables if table.head[0] == "case" for row in table.rows]
    texts = [[cell.text for cell in row.cells] for row in own]
    assert [text[0] for text in texts] == [cases.title(each) for each in CASES]
    assert "train.py:41" in texts[0]
    assert "batch 1 of 32" in texts[1]
    assert "interpolated from t512 and t1024" in texts[2]
    assert "length 9000 is outside the measured 512 to 1024" in texts[3]


def test_an_implementation_without_a_sum_says_how_many_cases_it_lacks(analysis: Analysis) -> None:
    found = section(analysis)

    assert found is not None
    lacking = {row.cells[0].text: row.cells[2].text for row in found.tables[0].rows}
    assert lacking["local_window"] == "lacks 1 of 3 cases"


def test_the_first_screen_begins_with_the_steps(analysis: Analysis) -> None:
    found = first_screen.of_run(analysis)

    assert [each.label for each in found.answers[:2]] == [RECORDED, MODEL]
    assert [each.key for each in found.figures] == [step_charts(analysis)[0].key]


def test_all_labels_of_a_problem_are_shown(analysis: Analysis) -> None:
    labels = cases.labels_of(analysis.plan)

    assert cases.joined(FULL, labels) == "encoder self-attention; big encoder"
    assert cases.labelled(FULL, "t512 full", labels) == (
        "encoder self-attention; big encoder: t512 full"
    )
    assert cases.labelled(WINDOW, "t1024", {}) == "t1024"


def test_long_labels_beside_a_problem_are_counted() -> None:
    labels = {FULL: ("a label of thirty-two characters", "another label")}

    assert cases.labelled(FULL, "t512", labels) == (
        "a label of thirty-two characters and 1 more: t512"
    )


def test_a_long_label_beside_a_problem_is_cut_after_a_word() -> None:
    labels = {FULL: ("16 requests, one new token each and their keys",)}

    assert cases.labelled(FULL, "t512", labels) == "16 requests, one new token each and…: t512"


def test_a_run_without_cases_has_no_steps() -> None:
    analysis = Analysis(*small_run())

    assert section(analysis) is None
    assert steps.lines(analysis) == []
    assert step_charts(analysis) == []
    assert first_screen.of_run(analysis).answers[0].label == "full"

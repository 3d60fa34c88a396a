"""What stands on the first screen of a run and of a history."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.history import history
from reports.analysis.run_analysis import Analysis
from reports.views.answer import answers
from reports.views.charts.chart import Chart, Map
from reports.views.first_screen import of_run
from reports.views.history_summary import MOST_CHANGES, of_history
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.analysis.ranking.made import linear, made, problems
from tests.saved_run import TWO, entries, small_run, two

LENGTHS = (128, 256, 512)


def of(*names: str) -> Analysis:
    """A run of some of the implementations of the small run."""
    chosen = tuple(each for each in entries() if each.name in names)
    return Analysis(*small_run(made=chosen))


def test_a_run_over_sizes_begins_with_its_maps_of_attention() -> None:
    found = of_run(Analysis(*small_run()))
    assert {each.key for each in found.figures} == {"fastest_by_length_and_heads"}
    assert all(isinstance(each, Map) for each in found.figures)
    assert [each.label for each in found.answers] == ["full", "window:128", "layers"]
    assert found.key == (
        "[ ]: 95 % interval over 3 sessions. Solid: beyond the noise of its problem; hatched, “?”: "
        "not decided."
    )


def test_one_problem_begins_with_its_ranking() -> None:
    found = of_run(Analysis(*two(1.3)))
    assert [each.key for each in found.figures] == ["ranking"]
    assert "one that contains 1 or is within the noise: not decided" in found.key


def test_one_session_decides_nothing() -> None:
    found = of_run(Analysis(*two(1.3, (1.0,))))
    assert found.key == "One session: no intervals, so nothing is decided."


def test_the_answer_has_names_lead_and_details_apart() -> None:
    times = {"a": linear(1.0), "b": linear(2.0)}
    (found,) = answers(made(problems(LENGTHS, (1, 4)), times))
    assert (found.label, found.start) == ("full", "use")
    assert [(each.name, each.where) for each in found.choices] == [("a", "at every size")]
    assert found.lead == ("at T = 512 with 4 heads next is b, 2.0x as long [2.0, 2.0]",)
    assert found.details == ()


def test_a_lead_is_relative_to_the_implementation_that_is_named() -> None:
    """`b` serves all sizes; on the largest `a` is ahead by less than the noise."""
    times = {
        "a": lambda problem: 1.0 if problem.key_length == 512 else 300.0,
        "b": lambda _: 1.0005,
        "c": lambda _: 3.0,
    }
    (found,) = answers(made(problems(LENGTHS), times))
    assert [each.name for each in found.choices] == ["b"]
    assert found.lead[0].startswith("at T = 512 with 8 heads a (1.00x as long")
    assert found.lead[0].endswith("is not distinguished from it")
    assert found.lead[1].startswith("next is c, 3.0x as long")
    assert found.details == ("undecided at T = 512 with 8 heads",)


def test_a_name_is_no_advice_where_nothing_is_decided() -> None:
    times = {"a": linear(1.0), "b": lambda problem: 1.0005 * problem.key_length}
    (found,) = answers(made(problems(LENGTHS), times))
    assert found.start == "nothing is decided:"
    (choice,) = found.choices
    assert choice.where == "is nowhere shown to be slower"
    assert found.details == ("undecided on 3 of 3 problems",)


def test_undecided_problems_of_a_panel_are_counted_over_all_kinds() -> None:
    asked = [*problems(LENGTHS), *problems(LENGTHS, rest="causal")]
    slow = {"a": linear(1.0), "b": linear(2.0)}
    layers = {"one": linear(1.0), "other": lambda problem: 1.0005 * problem.key_length}
    known = tuple(
        replace(each, panel="layers" if each.name in layers else "attention")
        for each in (replace(TWO[0], name=name) for name in (*slow, *layers))
    )
    *_, found = answers(made(asked, {**slow, **layers}, made=known))
    assert found.label == "layers"
    assert "undecided on 6 of 6 problems" in found.details


def test_without_times_the_states_are_the_answer() -> None:
    found = of_run(Analysis(*small_run(sessions=0)))
    assert (found.answers, found.figures, found.key) == ((), (), "")
    (said,) = found.sentences
    assert said == (
        "7 of 10 implementations agree with the reference; wrong: off_by_one; refused: xformers; "
        "missing: flash_attn."
    )
    (fault,) = found.faults
    assert fault.said.startswith("off_by_one is wrong on ")


def test_a_run_in_which_nothing_agrees_states_the_reasons() -> None:
    found = of_run(of("xformers", "flash_attn"))
    assert found.sentences[:2] == (
        "No time was taken in this run.",
        "0 of 2 implementations agree with the reference; refused: xformers; missing: flash_attn.",
    )
    assert found.sentences[2].startswith("xformers, refused: device cpu: runs on cuda")
    assert found.sentences[3] == "flash_attn, missing: No module named 'flash_attn'."


def test_an_only_time_is_stated_without_a_winner() -> None:
    found = of_run(of("naive", "off_by_one"))
    first, second = found.sentences
    assert first.startswith("Nothing to compare: naive alone has times, ")
    assert second == "1 of 2 implementations agrees with the reference; wrong: off_by_one."


def test_an_interrupted_run_has_the_command_that_finishes_it() -> None:
    run, records = small_run()
    whole = of_run(Analysis(run, records))
    assert (whole.notice, whole.cure) == ("", "")
    found = of_run(Analysis(replace(run, ended=None), records[:40]))
    assert found.notice == "The run was interrupted, or is still being written."
    assert found.cure == f"python run_bench.py run --resume {run.name}"


def sides(*factors: float) -> list[tuple[Run, list[Record]]]:
    """Runs in which the other took so many times as long as the base."""
    found = []
    for place, factor in enumerate(factors):
        run, records = two(factor)
        started = f"2026-01-{place + 2:02}T03:04:05+00:00"
        found.append((replace(run, name=f"run-{place}", started=started), records))
    return found


def test_a_history_is_called_one_and_has_what_changed_the_latest_first() -> None:
    found = of_history(history(sides(1.0, 1.5, 1.2)))
    assert found.title == "History of 3 runs: base and other, b1 h8 t256 d64 full fp32 cpu"
    assert found.runs == "1 run-0, 2 run-1, 3 run-2"
    assert [each.sentence for each in found.answers] == [
        "run 3 after run 2: 1 faster; other 0.80x its time before [0.80, 0.80].",
        "run 2 after run 1: 1 slower; other 1.50x its time before [1.50, 1.50].",
    ]
    assert [each.choices[0].name for each in found.answers] == ["1 faster", "1 slower"]
    (chart,) = found.figures
    assert isinstance(chart, Chart)
    assert chart.key == "history"
    assert found.sentences[0].startswith("In run 3, full: use base; next is other, 1.20x as long")
    assert found.preamble.startswith("Run 3: Example CPU 9000, 2 cores · 2026")


def test_a_history_names_the_largest_changes_of_many_with_their_problems() -> None:
    lengths = (128, 256, 512, 1024, 2048)
    factors = dict(zip(lengths, (1.1, 1.5, 0.5, 1.2, 1.05), strict=True))
    base = made(problems(lengths), {"base": linear(1.0), "other": linear(1.0)})
    times = {
        "base": linear(1.0),
        "other": lambda problem: factors[problem.key_length] * problem.key_length,
    }
    new = made(problems(lengths), times)
    later = replace(new.run, name="later", started="2026-02-02T03:04:05+00:00")
    found = of_history(history([(base.run, base.records), (later, new.records)]))
    (change,) = found.answers
    assert [str(each) for each in change.choices] == ["1 faster", "4 slower"]
    assert len(change.lead) == MOST_CHANGES
    assert [each.split(" on ")[-1] for each in change.lead] == ["t512", "t256", "t1024"]
    assert change.lead[0].startswith("other 0.50x its time before [0.5")

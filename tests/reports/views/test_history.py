"""Several runs of one machine: each time over the runs, and what changed from one to the next."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.analysis.history import History, history, series
from reports.outputs.export.json_data import of_history
from reports.outputs.html import page
from reports.outputs.terminal import history_tables as tables_of_history
from reports.outputs.terminal.history_tables import history_tables
from reports.rows.measurements import Measurement, measurements
from reports.views import differences, numbers
from reports.views.charts.chart import Chart, Series
from reports.views.history import NOT_JUDGED, section
from reports.views.problems import facets
from reports.views.sections import Section, Value
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.row_data import rows_of
from tests.saved_run import PROBLEMS, two

FACTORS = (1.0, 1.5, 1.2)


def sides(*factors: float, **machine: Any) -> list[tuple[Run, list[Record]]]:
    """A run for each: the other took so many times as long as the base; the last one's machine."""
    made = []
    for place, factor in enumerate(factors):
        run, records = two(factor)
        told = {**run.machine, **(machine if place == len(factors) - 1 else {})}
        started = f"2026-01-{place + 2:02}T03:04:05+00:00"
        made.append((replace(run, name=f"run-{place}", started=started, machine=told), records))
    return made


def cells(of: Section, place: int) -> list[dict[str, Value]]:
    table = of.tables[place]
    return [dict(zip(table.head, row.cells, strict=True)) for row in table.rows]


def line(of: Section) -> Series:
    """That of the other, on the only chart."""
    (chart,) = of.charts
    assert isinstance(chart, Chart)
    return next(each for each in chart.series if each.name == "other")


def test_a_line_holds_the_median_of_each_run_with_its_spread() -> None:
    runs = sides(*FACTORS)
    other = line(section(history(runs)))
    rows = [rows_of(measurements(*each))[1] for each in runs]
    assert other.x == (1.0, 2.0, 3.0)
    assert list(other.y) == [row["median_ms"] for row in rows]
    assert list(other.low) == [row["low_ms"] for row in rows]
    assert list(other.high) == [row["high_ms"] for row in rows]
    assert "slower after run-0" in other.hover[1]


def test_each_run_is_judged_beside_the_one_before_it_whatever_order_they_are_given_in() -> None:
    found = history(reversed(sides(*FACTORS)))
    assert [(each.base, each.new) for each in found.changes] == [
        ("run-0", "run-1"),
        ("run-1", "run-2"),
    ]
    changes = [row for row in cells(section(found), 1) if row["verdict"].order is None]
    judged = [row for row in changes if row["implementation"].text == "other"]
    assert [row["verdict"].text for row in judged] == ["slower", "faster"]
    ratios = [row["ratio"].order for row in judged]
    assert ratios == pytest.approx([1.5, 0.8], rel=1e-3)


def test_the_section_says_that_milliseconds_of_different_times_are_not_judged() -> None:
    made = section(history(sides(*FACTORS)))
    assert NOT_JUDGED in made.sentences
    assert made.sentences[0] == "3 runs, the oldest first: 1 run-0, 2 run-1, 3 run-2."


def test_a_run_that_did_not_time_a_series_leaves_a_gap() -> None:
    first, second, third = sides(*FACTORS)
    without = [r for r in second[1] if r.implementation != "other" or not r.times_ms]
    made = section(history([first, (second[0], without), third]))
    row = next(each for each in cells(made, 0) if each["implementation"].text == "other")
    assert row["ms in run 2"].text == ""
    assert row["ms in run 1"].order is not None
    assert line(made).x == (1.0, 3.0)


def test_a_problem_of_one_run_only_has_no_chart_and_is_counted() -> None:
    first, second = sides(1.0, 1.5)
    only = PROBLEMS[0]
    plan = replace(second[0].plan, problems=(*second[0].plan.problems, only))
    more = [replace(record, problem=only) for record in second[1]]
    made = section(history([first, (replace(second[0], plan=plan), [*second[1], *more])]))
    (chart,) = made.charts
    assert chart.facets == facets(second[0].plan.problems[0])
    said = "Not drawn: 1 problem that was measured in one run only."
    assert chart.note.endswith(said)
    assert said in made.sentences
    assert str(only) in {row["problem"].text for row in cells(made, 0)}


def test_all_charts_reach_over_all_runs() -> None:
    first, second, third = sides(*FACTORS)
    without = [r for r in third[1] if not r.times_ms]
    (chart,) = section(history([first, second, (third[0], without)])).charts
    assert isinstance(chart, Chart)
    assert chart.sizes == (1.0, 2.0, 3.0)
    assert all(each.x == (1.0, 2.0) for each in chart.series)


def printed(found: History) -> str:
    kept = io.StringIO()
    Console(file=kept, width=80).print(*history_tables(found), sep="\n")
    return kept.getvalue()


def test_a_terminal_of_80_shows_every_run_and_every_reason_whole() -> None:
    found = history(sides(1.0, 1.5, 1.2, 1.001))
    text = printed(found)
    assert max(map(len, text.splitlines())) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    rows = [line.split() for line in text.splitlines() if line.split()[-5:-4] == ["other"]]
    medians = [numbers.milliseconds(row.median_ms) for row in times_of_other(found)]
    assert rows[0][-4:] == medians
    flat = " ".join(text.split())
    reasons = {row["reason"] for each in found.changes for row in rows_of(each.rows)} - {""}
    assert reasons
    assert all(reason in flat for reason in reasons)
    assert all(f"run-{place} against run-{place - 1}" in flat for place in (1, 2, 3))


def times_of_other(found: History) -> list[Measurement]:
    (points,) = [each for (_, name, _), each in series(found).items() if name == "other"]
    return list(points.values())


def test_many_times_are_counted_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = sides(*FACTORS)
    found = history([first, second, third])
    assert "Not shown" not in printed(found)
    monkeypatch.setattr(tables_of_history, "MOST_ROWS", 1)
    assert "Not shown: 1 more, 0 of them measured in one run only; --json has all." in printed(
        found
    )


def test_runs_of_machines_that_differ_say_so() -> None:
    found = history(sides(*FACTORS, cpu="Another CPU"))
    assert any("Another CPU in run-2" in each for each in differences.sentences(found.changes[-1]))
    said = section(found).sentences[-1]
    assert said.startswith("These runs are not comparable: CPU: Example CPU 9000 in run-1")
    assert history(sides(*FACTORS)).differences == ()


def test_one_run_is_no_history_and_none_is_there_twice() -> None:
    one, other = sides(1.0, 1.0)
    with pytest.raises(ValueError, match=r"^a history of run-0; expected two runs or more"):
        history([one])
    with pytest.raises(ValueError, match=r"each once \(python run_bench.py list runs\)$"):
        history([one, other, one])


def test_programs_read_the_same_history() -> None:
    found = history(sides(*FACTORS))
    data = json.loads(json.dumps(of_history(found), allow_nan=False))
    assert [run["name"] for run in data["runs"]] == ["run-0", "run-1", "run-2"]
    other = next(each for each in data["series"] if each["implementation"] == "other")
    assert [point["run"] for point in other["points"]] == ["run-0", "run-1", "run-2"]
    verdicts = [
        [row["verdict"] for row in change["rows"] if row["implementation"] == "other"]
        for change in data["changes"]
    ]
    assert verdicts == [["slower"], ["faster"]]


def test_the_page_is_that_of_the_newest_run(tmp_path: Path) -> None:
    found = history(sides(1.0, 1.5))
    made = page.write(found.analyses[-1], tmp_path, further=[section(found)])
    text = made.page.read_text()
    assert "run-1" in text
    assert "Over the runs" in text

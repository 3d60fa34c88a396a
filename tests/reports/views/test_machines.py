"""Runs of several machines: figures of each beside the others, never a ratio across them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.analysis.machines import Machines, are_of_one_machine, machines
from reports.analysis.run_analysis import Analysis
from reports.outputs import reporting
from reports.outputs.export.machines_data import of_machines
from reports.outputs.html import machines_page
from reports.outputs.terminal.machine_tables import machine_tables
from reports.views import answer, headline, numbers
from reports.views import machines as views
from reports.views.charts.chart import Chart
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.browser import draw_all, opened
from tests.saved_run import LENGTHS, PROBLEMS, small_run, two

SERVER = {"cpu": "Server CPU", "cores": 64, "devices": [{"device": "cpu", "name": "Server CPU"}]}
Stored = tuple[Run, list[Record]]


def on(stored: Stored, name: str, **machine: Any) -> Stored:
    """The run under another name, on a machine with these facts."""
    run, records = stored
    return replace(run, name=name, machine={**run.machine, **machine}), records


def faster(stored: Stored, factor: float) -> Stored:
    """The run with every time shorter by a factor."""
    run, records = stored
    return run, [
        replace(
            record,
            times_ms=tuple(each / factor for each in record.times_ms),
            twin_ms=tuple(each / factor for each in record.twin_ms),
        )
        for record in records
    ]


def laptop_and_server() -> Machines:
    """The small run on two machines; on the second all times are a quarter, without naive."""
    run, records = small_run()
    others = [record for record in records if record.implementation != "naive"]
    entries = tuple(each for each in run.plan.entries if each.name != "naive")
    server = replace(run, plan=replace(run.plan, entries=entries))
    return machines(
        [
            (replace(run, name="laptop"), records),
            on(faster((server, others), 4), "server", **SERVER),
        ]
    )


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        ({}, True),
        ({"cpu": "Other CPU"}, False),
        ({"cores": 4}, False),
        ({"memory_bytes": 16 * 2**30}, False),
        ({"memory_bytes": 8 * 2**30 - 2**26}, True),
        ({"memory_bytes": None}, False),
        ({"devices": [{"device": "cpu", "name": "Other"}]}, False),
        ({"devices": []}, True),
        ({"devices": [{"device": "cpu", "name": "Example CPU 9000", "uuid": "1a2b"}]}, False),
        ({"os": "Linux 6.2", "python": "3.12.1", "versions": {"torch": "3"}}, True),
    ],
)
def test_machines_differ_where_their_hardware_does(facts: dict[str, Any], *, same: bool) -> None:
    run, _ = two(1.5)
    other, _ = on(two(1.5), "other", **facts)
    assert are_of_one_machine([run, other]) is same
    assert are_of_one_machine([run, run, other]) is same


def test_each_machine_has_its_times_and_the_ratio_to_its_own_baseline() -> None:
    found = laptop_and_server()
    table = views.times(found, "attention")
    every = (dict(zip(table.head, row.cells, strict=True)) for row in table.rows)
    rows = {(row["problem"].text, row["implementation"].text): row for row in every}
    problem = PROBLEMS[1]
    for side in found.sides:
        verdicts = {(v.problem, v.implementation): v for v in side.analysis.verdicts}
        for row in side.analysis.measurements:
            if row.panel != "attention":
                continue
            own = rows[str(row.problem), row.implementation]
            assert own[f"{side.label} ms"].order == row.median_ms
            verdict = verdicts.get((row.problem, row.implementation))
            text = own[f"{side.label} ratio [95 %]"].text
            if verdict is not None:
                assert text == numbers.ratio_in(verdict.ratio, verdict.low, verdict.high)
            else:
                assert text == "baseline"
    one = rows[str(problem), "chunked"]
    first, second = one["A ms"].order, one["B ms"].order
    assert first is not None
    assert second == pytest.approx(first / 4)
    assert rows[str(problem), "naive"]["B ms"].text == "not in its plan"


def test_baselines_are_named_once_or_for_each_machine() -> None:
    caption = views.times(laptop_and_server(), "attention").caption
    assert caption.endswith("Baseline: A naive, B chunked.")
    alike = machines([two(1.5), on(two(1.5), "server", **SERVER)])
    assert views.times(alike, "attention").caption.endswith("Baseline: base.")


def test_no_ratio_across_machines_is_written_anywhere() -> None:
    """Every time of the second machine is a quarter, and 4 and 0.25 stand nowhere."""
    one, run = two(1.5), faster(two(1.5), 4)
    found = machines([one, on(run, "server", **SERVER)])
    ratios = [
        cell.order
        for row in views.times(found, "attention").rows
        for cell in row.cells[3::2]
        if cell.order is not None
    ]
    assert ratios == pytest.approx([1.0, 1.0, 1.5, 1.5], rel=1e-2)
    assert not re.search(r"\b(4\.00|0\.25)", " ".join(printed(found, 100)))


def test_lines_of_one_implementation_share_a_colour_and_differ_by_machine() -> None:
    charts = [chart for section in views.sections(laptop_and_server()) for chart in section.charts]
    full = next(c for c in charts if isinstance(c, Chart) and c.label == "full mask")
    lines = {each.name: each for each in full.series}
    a, b = lines["chunked, A"], lines["chunked, B"]
    assert a.look.light == b.look.light
    assert (a.look.line, b.look.line) == ("solid", "dash")
    assert a.x == tuple(map(float, LENGTHS)) == b.x
    assert "naive, A" in lines
    assert "naive, B" not in lines
    assert b.y == pytest.approx([each / 4 for each in a.y])


def test_the_answer_and_the_noise_of_each_machine_are_those_of_its_own_report() -> None:
    for side in laptop_and_server().sides:
        analysis = Analysis(side.run, side.analysis.records)
        assert views.answers(side) == answer.sentences(analysis)
        assert headline.preamble(analysis) in views.notes(side)[0]
        assert [each.split(":")[0] for each in views.faults(side)] == [
            fault.said for fault in headline.faults(analysis)
        ]


def test_facts_that_differ_come_first() -> None:
    table = views.sections(laptop_and_server())[-1].tables[0]
    alike = [len({cell.text for cell in row.cells[1:]}) == 1 for row in table.rows]
    assert alike == sorted(alike)
    assert ("CPU", "Example CPU 9000", "Server CPU") in [
        tuple(cell.text for cell in row.cells) for row in table.rows
    ]


def printed(found: Machines, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(*machine_tables(found), sep="\n", crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_terminal_names_the_machines_and_ends_with_their_answers(width: int) -> None:
    found = laptop_and_server()
    lines = printed(found, width)
    text = " ".join(" ".join(lines).split())
    assert views.WHY in text
    assert "A, Example CPU 9000, 2 cores" in text
    assert "B, Server CPU, 64 cores" in text
    assert text.endswith(views.answers(found.sides[-1])[-1])
    assert max(map(len, lines)) <= width
    assert f"{sum(map(len, found.panels.values())) - 20} more rows; the page has all" in text


def test_the_page_says_that_it_shows_machines_and_no_history(tmp_path: Path) -> None:
    found = laptop_and_server()
    html = machines_page.page(found)
    assert f"<h1>{views.title(found)}" in html
    assert views.WHY in html
    assert 'id="machine-a"' in html
    assert 'id="machine-b"' in html
    assert 'id="history"' not in html
    assert "0 of 0 measurements" not in html
    made = machines_page.write(found, tmp_path / "page")
    assert made.page.read_text("utf-8") == html
    names = [path.name for path in made.charts]
    assert names[0] == "machines_time_vs_length.png"
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == sorted(
        [*names, "report.html"]
    )


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_drawn_without_a_complaint_and_nothing_is_cut(
    width: int, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(machines_page.page(laptop_and_server()), "utf-8")
    with opened(path, viewport={"width": width, "height": 900}) as found:
        draw_all(found)
        assert found.complaints == []
        assert found.requests == [path.as_uri()]
        assert found.view.evaluate("document.documentElement.scrollWidth") <= width
        assert found.view.locator("#filters").count() == 1
        assert re.fullmatch(r"(\d+) of \1 figures shown", found.view.text_content("#shown"))
        lines = found.view.evaluate("document.querySelector('.chart').data.map(each => each.name)")
        assert {"chunked, A", "chunked, B"} <= set(lines)


def test_a_summary_has_the_answer_of_each_machine(tmp_path: Path) -> None:
    sides = [(side.run, side.analysis.records) for side in laptop_and_server().sides]
    summary = tmp_path / "summary.md"
    reporting.report_machines(sides, tmp_path / "page", as_json=True, summary=summary)
    text = summary.read_text("utf-8")
    assert re.findall("^## (.), ", text, re.MULTILINE) == ["A", "B"]


def test_programs_read_every_machine_and_what_differs() -> None:
    found = laptop_and_server()
    data = json.loads(json.dumps(of_machines(found), allow_nan=False))
    assert [(each["letter"], each["run"]) for each in data["machines"]] == [
        ("A", "laptop"),
        ("B", "server"),
    ]
    assert "CPU: Example CPU 9000 in A, Server CPU in B." in data["differences"]


def test_a_run_is_there_once_and_there_are_as_many_runs_as_letters() -> None:
    with pytest.raises(ValueError, match="the run 2026-01-02-quick is named twice"):
        machines([two(1.5), two(1.5)])
    many = [on(two(1.5), f"run-{place}") for place in range(27)]
    with pytest.raises(ValueError, match="27 runs side by side; expected 26 at most"):
        machines(many)
    assert [side.label for side in machines(many[:26]).sides][-1] == "Z"


def test_runs_that_only_check_have_no_times(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:1], sessions=0)
    found = machines([(run, records), on((run, records), "server", **SERVER)])
    assert views.answers(found.sides[0]) == ["Nothing was compared on this machine."]
    assert machines_page.write(found, tmp_path).charts == ()
    assert printed(found, 80)


def test_the_kind_of_report_is_that_of_the_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, later = two(1.5), on(two(1.5), "later")
    server = on(two(1.5), "server", **SERVER)

    def headings(*sides: Stored, anyway: bool = False) -> set[str]:
        reporting.report_several(sides, tmp_path, anyway=anyway, as_json=False)
        text = capsys.readouterr().out
        return {each for each in ("Over the runs", views.HEADING) if each in text}

    assert headings(first, later) == {"Over the runs"}
    assert headings(first, server) == {views.HEADING}
    assert headings(first, later, server) == {views.HEADING}
    assert headings(first, server, anyway=True) == {"Over the runs"}

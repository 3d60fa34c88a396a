"""Host-bound calls on a GPU: the terminal, the page and the verdicts say that they are."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.terminal.run_tables import summary
from reports.rows.measurements import measurement_columns
from reports.views.launches import MEANING, sentences
from reports.views.tables import measurement_table
from suites.records.record import HOST_BOUND
from tests.saved_run import two


def of_gpu(**other: Any) -> Analysis:
    """A run of two implementations with figures of a GPU, and others of `other`."""
    run, records = two(2.0)
    usual: dict[str, Any] = {"clock": "events", "host_ms": 0.02, "unhidden": 0.0}
    return Analysis(
        run,
        [
            replace(r, **usual | (other if r.implementation == "other" else {}))
            if r.times_ms
            else r
            for r in records
        ],
    )


def cells(analysis: Analysis, name: str) -> dict[str, str]:
    table = measurement_table(analysis)
    row = next(row for row in table.rows if row.cells[1].text == name)
    return dict(zip(table.head, (cell.text for cell in row.cells), strict=True))


def printed(analysis: Analysis) -> str:
    console = Console(width=400, record=True, file=io.StringIO())
    for each in summary(analysis):
        console.print(each)
    return " ".join(console.export_text().split())


def test_a_launch_bound_time_is_named_in_the_table_beside_the_launch_time() -> None:
    analysis = of_gpu(unhidden=1.0, host_ms=0.41)
    shown = cells(analysis, "other")
    assert (shown["clock"], shown["host ms"]) == ("events, host-bound", "0.410")
    assert cells(analysis, "base")["clock"] == "events"
    row = next(row for row in analysis.measurements if row.implementation == "other")
    assert measurement_columns(row)["unhidden"] == 1.0


def test_a_run_without_a_gpu_has_no_launch_times() -> None:
    analysis = Analysis(*two(2.0))
    assert "host ms" not in measurement_table(analysis).head
    assert sentences(analysis) == []
    assert "host-bound" not in printed(analysis)


def test_energy_is_a_column_where_some_record_has_it() -> None:
    analysis = of_gpu(energy_mj=512.25)
    assert cells(analysis, "other")["mJ per call"] == "512"
    assert cells(analysis, "base")["mJ per call"] == "none"
    assert "mJ per call" not in measurement_table(Analysis(*two(2.0))).head


def test_the_terminal_and_the_page_say_what_it_means() -> None:
    analysis = of_gpu(unhidden=1.0, host_ms=0.41)
    [said] = sentences(analysis)
    assert said == (
        f"other is host-bound on 1 problem. {MEANING} The host takes 0.410 ms to launch a call."
    )
    assert said in printed(analysis)
    assert "The host takes 0.410 ms to launch a call." in page(analysis)


def test_the_launch_time_is_the_median_of_the_sessions() -> None:
    run, records = two(2.0)
    made = [replace(r, unhidden=0.9, host_ms=0.1 * r.session) if r.times_ms else r for r in records]
    for name, said in zip(("base", "other"), sentences(Analysis(run, made)), strict=True):
        assert said.startswith(f"{name} is host-bound on 1 problem. ")
        assert said.endswith("The host takes 0.300 ms to launch a call.")  # of five sessions


@pytest.mark.parametrize("share", [0.0, HOST_BOUND])
def test_a_few_samples_with_launch_time_do_not_make_a_time_host_bound(share: float) -> None:
    assert sentences(of_gpu(unhidden=share)) == []


def test_a_verdict_on_launch_time_stands_and_says_so() -> None:
    [plain], [bound] = of_gpu().verdicts, of_gpu(unhidden=1.0).verdicts
    assert bound.verdict == plain.verdict == "slower"
    assert plain.reasons == ()
    assert bound.reasons == ("the time of other is launch time of the host",)
    assert bound.reasons[0] in page(of_gpu(unhidden=1.0))

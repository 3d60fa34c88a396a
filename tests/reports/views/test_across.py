"""Ratios across panels: only with --against, marked, and apart from every ranking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Limits
from reports.analysis.ranking.ranking import rankings
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import of_run
from reports.outputs.html.page import page
from reports.views.across import MOST_SENTENCES, mark, sentences
from reports.views.limitations import sentences as limitations
from reports.views.parts import across
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, agreement, small_run

PANELS = {
    "sdpa_flash": "attention",
    "naive": "attention",
    "linear": "dense_linear",
    "performer": "approximations",
}


def made(
    panels: dict[str, str] = PANELS, baseline: str = "sdpa_flash", *, named: bool = True
) -> tuple[Run, list[Record]]:
    """Two problems and an approximation that is off by 12.3 %.

    named  whether the baseline was named with --against
    """
    entries = tuple(Entry(name=n, limits=(Limits(),), panel=p) for n, p in panels.items())
    run, records = small_run(problems=PROBLEMS[:2], made=entries, baseline=baseline)
    far = agreement(400.0)
    far = replace(far, tensors=(replace(far.tensors[0], relative_rms=0.123),))
    records = [
        replace(r, agreement=far) if r.implementation == "performer" and r.agreement else r
        for r in records
    ]
    return replace(run, plan=replace(run.plan, across=named)), records


def test_other_functions_are_compared_with_the_named_baseline_in_rows_of_their_own() -> None:
    analysis = Analysis(*made())
    pairs = [(row.problem, row.implementation, row.baseline) for row in analysis.across]
    assert pairs == [
        (problem, name, "sdpa_flash")
        for problem in PROBLEMS[:2]
        for name in ("linear", "performer")
    ]
    assert all(row.low and row.ratio and row.low <= row.ratio for row in analysis.across)
    assert {row.implementation for row in analysis.verdicts} == {"naive"}
    ranked = [
        name
        for (_, _, panel), found in rankings(analysis).items()
        if panel == "attention"
        for name in (found.name, *(rival.name for rival in found.rivals))
    ]
    assert set(ranked) == {"sdpa_flash", "naive"}


def test_an_approximation_may_be_the_baseline() -> None:
    analysis = Analysis(*made(baseline="performer"))
    assert {(row.implementation, row.baseline) for row in analysis.across} == {
        (name, "performer") for name in ("sdpa_flash", "naive", "linear")
    }


def test_without_against_nothing_is_compared_across_panels() -> None:
    analysis = Analysis(*made(named=False))
    assert analysis.across == []
    assert across.section(analysis).is_empty
    assert sentences(analysis) == []


def test_a_row_says_what_is_computed_and_its_error() -> None:
    marks = {row.implementation: mark(row) for row in Analysis(*made()).across}
    assert marks == {
        "performer": "computes another function, RMS error 12 % of attention",
        "linear": "computes another function, dense_linear, RMS error 3e-05 % of its reference",
    }
    panels = {"sdpa_flash": "attention", "layer": "layers", "near": "approximations of dense"}
    marks = {row.implementation: mark(row) for row in Analysis(*made(panels)).across}
    assert marks["layer"].startswith("computes another function, a layer, RMS error 3e-05 %")
    assert marks["near"] == "computes another function, RMS error 3e-05 % of dense"


def test_the_largest_problem_has_the_sentence_with_the_ratio() -> None:
    said = sentences(Analysis(*made()))
    assert len(said) == 2
    assert said[1].startswith(
        "performer computes another function, RMS error 12 % of attention; it takes 3.5x the time "
        "of sdpa_flash ["
    )
    assert said[1].endswith(f" on {PROBLEMS[1]}.")


def test_a_tiny_ratio_is_a_bound() -> None:
    run, records = made()
    quick = [
        replace(r, times_ms=tuple(t / 2000 for t in r.times_ms))
        if r.implementation == "performer"
        else r
        for r in records
    ]
    assert (
        "it takes <0.01x the time of sdpa_flash [<0.01, <0.01]"
        in sentences(Analysis(run, quick))[1]
    )


def test_many_other_functions_are_counted() -> None:
    many = {f"f{index}": "approximations" for index in range(MOST_SENTENCES + 2)}
    said = sentences(Analysis(*made({"sdpa_flash": "attention", **many})))
    assert len(said) == MOST_SENTENCES + 1
    assert said[-1] == "2 more implementations of other functions: on the page."


def test_the_page_and_the_json_have_them() -> None:
    analysis = Analysis(*made())
    text = page(analysis)
    assert '<section id="across-panels">' in text
    assert "computes another function, RMS error 12 % of attention" in text
    rows = of_run(analysis)["across"]
    found = {(row["implementation"], row["relative_error"], row["computes"]) for row in rows}
    assert ("performer", 0.123, mark(analysis.across[1])) in found
    assert all(row["ratio"] and row["low"] for row in rows)


@pytest.mark.parametrize("named", [True, False])
def test_a_run_with_nothing_but_such_ratios_compared_something(named: bool) -> None:  # noqa: FBT001
    panels = {"sdpa_flash": "attention", "performer": "approximations"}
    said = " ".join(limitations(Analysis(*made(panels, named=named))))
    assert ("Nothing was compared" in said) is not named

"""Disturbed rounds in words: one definition, and what they mean for the verdicts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.views.disturbance import DEFINITION, RULE, meaning, rounds, sentences
from reports.views.terms import TERMS
from suites.records.record import Conditions, Record
from suites.records.store import Run
from suites.stats.disturbance import SLOW_PROBE, WAITED_SHARE
from tests.saved_run import PROBLEMS, small_run, two

ROOT = Path(__file__).resolve().parents[3]


def with_disturbed(made: tuple[Run, list[Record]], *places: int) -> tuple[Run, list[Record]]:
    """The run with these rounds of every session disturbed, and no others."""
    why = Conditions(disturbed=tuple("waited" if n in places else "" for n in range(5)))
    run, records = made
    return run, [replace(r, conditions=why) if r.times_ms else r for r in records]


def scaled(made: tuple[Run, list[Record]], factor: float, *places: int) -> tuple[Run, list[Record]]:
    """The run with these rounds of `other` longer by a factor."""

    def times(record: Record) -> tuple[float, ...]:
        every = enumerate(record.times_ms)
        return tuple(t * (factor if n in places else 1) for n, t in every)

    run, records = made
    changed = [replace(r, times_ms=times(r)) if r.implementation == "other" else r for r in records]
    return run, changed


def test_the_definition_has_the_thresholds_and_stands_in_the_documentation() -> None:
    assert f"more than {100 * WAITED_SHARE:g} % of it" in DEFINITION
    assert f"more than {SLOW_PROBE:g} times" in DEFINITION
    documented = " ".join((ROOT / "docs/measuring.md").read_text().split())
    assert DEFINITION in documented
    assert RULE in documented


def test_a_run_without_a_disturbed_round_has_no_sentence() -> None:
    assert sentences(Analysis(*with_disturbed(two(1.3)))) == []


def test_a_run_of_one_comparison_states_the_ratio_of_all_rounds_and_that_the_verdict_stands() -> (
    None
):
    found, said = sentences(Analysis(*with_disturbed(two(1.3), 0, 1, 2, 3, 4)))
    assert found == (
        "25 of 25 rounds were disturbed; with all rounds the ratio is 1.300 [1.297, 1.303]: "
        "the verdict stands."
    )
    assert said == DEFINITION


def test_a_verdict_that_all_rounds_contradict_is_withheld_and_named() -> None:
    made = scaled(with_disturbed(two(0.9), 3, 4), 3.0, 2, 3, 4)
    analysis = Analysis(*scaled(made, 1 / 3.0, 2))
    assert analysis.verdicts[0].verdict == "faster"  # most of all rounds agree
    made = with_disturbed(two(0.9), 0, 1)
    analysis = Analysis(*scaled(scaled(made, 2.0, 0, 1), 1.4, 2))
    (row,) = analysis.verdicts
    assert (row.verdict, row.withheld) == ("inconclusive", True)
    found, named = meaning(analysis)
    assert found.endswith("the verdict is withheld.")
    assert sentences(analysis) == [found, named, DEFINITION]
    assert named.startswith(f"other on {PROBLEMS[1]}: withheld: all rounds give the ratio 1.26")


@pytest.mark.parametrize(("places", "parts", "meaning"), [
    ((4,), (1, 1, 1, 1, 1.1), "with and without them the ratios differ by less than 0.1 %: "),
    ((2, 4), (0.9, 1, 1.1, 1.05, 1.1), "with and without them the ratios differ by at most 5 %: "),
    ((0, 1, 2, 3, 4), (1, 1, 1, 1, 1), "figures use all rounds. Other work ran on this machine: "),
])  # fmt: skip
def test_a_run_of_several_comparisons_says_how_far_ratios_move_and_whether_verdicts_stand(
    places: tuple[int, ...], parts: tuple[float, ...], meaning: str
) -> None:
    run, records = with_disturbed(small_run(), *places)
    changed = [
        replace(r, times_ms=tuple(p * t for p, t in zip(parts, r.times_ms, strict=True)))
        if r.implementation == "chunked" and r.times_ms
        else r
        for r in records
    ]
    found, _ = sentences(Analysis(run, changed))
    disturbed, tried = rounds(records)
    assert disturbed * 5 == tried * len(places)
    assert found.startswith(f"{disturbed} of {tried} rounds were disturbed; {meaning}")
    stands = "run again when it is idle." if len(places) == 5 else "every verdict stands."
    assert found.endswith(stands)


def test_one_disturbed_session_of_several_is_no_advice_to_run_again() -> None:
    run, records = with_disturbed(small_run(), 0, 1, 2, 3, 4)
    quiet = Conditions(disturbed=("",) * 5)
    mixed = [
        replace(each, conditions=quiet) if each.times_ms and each.session > 1 else each
        for each in records
    ]
    found, _ = sentences(Analysis(run, mixed))
    assert found.endswith("rounds were disturbed; figures use all rounds.")


def test_rounds_that_implementations_share_count_once() -> None:
    run, records = with_disturbed(two(1.3), 0)
    assert rounds(records) == (5, 25)
    assert rounds([r for r in records if r.session < 2]) == (1, 5)
    assert rounds([]) == (0, 0)
    assert run.plan.sessions == 5


def test_the_page_has_the_sentence_and_links_the_word_to_the_one_definition() -> None:
    written = page(Analysis(*with_disturbed(two(1.3), 4)))
    text = " ".join(re.sub(r"<[^>]*>", "", written).split())
    assert "5 of 25 rounds were disturbed; with all rounds the ratio is 1.300" in text
    assert DEFINITION in text
    (term,) = [each for each in TERMS if each.word == "disturbed"]
    assert re.search(rf'rounds were <a[^>]*href="#{term.anchor}"', written)

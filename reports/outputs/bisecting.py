"""Judges the commits of a search by the gate of `compare`, and prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.analysis import comparison
from reports.analysis.comparison import ComparisonRow
from reports.analysis.gate import State, gate
from reports.outputs.terminal.console import console, print_json, print_line
from reports.outputs.terminal.judged import CandidateScreen
from reports.views import bisecting as words
from suites.bisecting import CANDIDATE, GOOD, Found, Judged, Search, Step, Terms
from suites.conducting import Conducted


def bisect(of: Terms, limit: float, *, as_json: bool) -> int:
    """Search for the commit that made a file slower by more than `limit`; the exit status.

    The status is 0 where it is found, and 1 where it is not.
    """

    def show(title: str) -> CandidateScreen:
        return CandidateScreen(console(stderr=True), title, quiet=as_json)

    return report(Search(of, lambda done: judged(done, limit), show), limit, as_json=as_json)


def judged(done: Conducted, limit: float) -> Judged:
    """Whether the candidate of a run is slower than the good commit beyond a limit."""
    faults = [r for r in done.records if r.status != "ok"]
    found = comparison.implementations(done.run, done.records, GOOD, CANDIDATE)
    if faults:
        first = faults[0]
        return Judged(verdict="none", reason=f"{first.implementation}: {first.reason}")
    result = gate(found, limit, strict=True)
    row = _decisive(result.slower or result.not_excluded or result.compared)
    if row is None:
        return Judged(verdict="undecided", reason="no interval of its ratio is known")
    verdicts: dict[State, Any] = {"failed": "slower", "passed": "within", "unsure": "undecided"}
    return Judged(verdict=verdicts[result.state], ratio=row.ratio, low=row.low, high=row.high)


def report(search: Search, limit: float, *, as_json: bool) -> int:
    """Print each commit when it is judged, then the result; the exit status."""
    steps: list[Step] = []
    for each in search.steps():
        steps.append(each)
        if not as_json:
            print_line(words.step(each))
    found = search.found or Found(first=None)
    if as_json:
        print_json(data(search.of, steps, found, limit))
    else:
        print_line(words.ending(found, steps[0], limit))
    return 0 if found.first else 1


def data(of: Terms, steps: Sequence[Step], found: Found, limit: float) -> dict[str, Any]:
    """The search for programs."""
    return {
        "file": of.path,
        "good": of.good,
        "bad": of.bad,
        "limit": limit,
        "steps": list(map(_step, steps)),
        "found": None if found.first is None else found.first.commit,
        "left": list(found.left),
    }


def _step(each: Step) -> dict[str, Any]:
    return {
        "commit": each.commit,
        "subject": each.subject,
        "runs": list(each.runs),
        "verdict": each.judged.verdict,
        "ratio": each.judged.ratio,
        "low": each.judged.low,
        "high": each.judged.high,
        "reason": each.judged.reason,
        "mark": each.mark,
    }


def _decisive(rows: Sequence[ComparisonRow]) -> ComparisonRow | None:
    """The row with the largest ratio."""
    return max(rows, key=lambda row: row.ratio or 0.0, default=None)

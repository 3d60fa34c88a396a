"""Exit statuses of commands, and the refusal to compare runs that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reports.analysis.comparison import Comparison
from reports.outputs.terminal.console import print_line
from reports.rows.answers import state
from reports.views import differences
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated
from suites.records.record import ANSWERS, Record


def expect_comparable(found: Comparison, *, anyway: bool) -> None:
    """Raise ValueError for runs that differ in machine or settings, unless `anyway`."""
    if found.differences and not anyway:
        raise ValueError(
            f"{found.base} and {found.new} are not comparable: "
            f"{'; '.join(differences.sentences(found))}; --anyway compares them nevertheless, "
            "marked"
        )


def exit_status(
    records: Sequence[Record], *, strict: bool = False, named: Sequence[str] = ()
) -> int:
    """0 when no record is a fault and one at least is ok; strict: when all that was tried agrees.

    strict  out of memory and timed out are faults, too
    named   implementations that need a time on one problem at least
    """
    fine = ("ok", "refused", "missing") if strict else ANSWERS
    if any(record.status not in fine for record in records):
        return 1
    if not any(record.status == "ok" for record in records):
        print_line(
            f"nothing was measured: {_counted(records)}; the reasons are above "
            "(python run_bench.py list implementations)",
            stderr=True,
        )
        return 1
    if untimed := _untimed(records, named):
        print_line("; ".join(untimed), stderr=True)
        return 1
    return 0


def _untimed(records: Sequence[Record], named: Sequence[str]) -> list[str]:
    """A sentence for each named implementation without a time on any problem."""
    faulty = {record.pair for record in records if record.status != "ok"}
    timed = {r.implementation for r in records if r.times_ms and r.pair not in faulty}
    return [
        f"{abbreviated(name)} was named with --impl and has no time: {_why(records, name)}"
        for name in named
        if name not in timed
    ]


def _why(records: Sequence[Record], name: str) -> str:
    """How the answers of an implementation without a time ended."""
    own = [r for r in records if r.implementation == name and r.status != "ok"]
    return _counted(own) if own else "no session timed it"


def _counted(records: Sequence[Record]) -> str:
    found = Counter(map(state, records))
    return ", ".join(f"{count} {STATUS_WORDS[status]}" for status, count in found.items())

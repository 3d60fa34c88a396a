"""Kernels in words: which one ran, that two implementations ran the same one, and fallbacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.kernels import kernel_names
from reports.rows.measurements import Measurement
from reports.views.text import abbreviated, counted
from reports.views.values import NOT_RECORDED
from suites.records.kernels import UNSEEN

MEANING: Final = (
    "Both call the same attention kernel on the same shapes, so their difference is the cost of "
    "the call: they are not ranked against each other."
)
_OUTSIDE: Final = "outside torch, not seen"


def label(other: str) -> str:
    """Same kernel as sdpa_flash; empty for no other implementation."""
    return f"same kernel as {abbreviated(other)}" if other else ""


def flagged(text: str, fallback: str) -> str:
    """A time with the last word of a fallback: 1.23 (math)."""
    return f"{text} ({fallback.rsplit(maxsplit=1)[-1]})" if fallback else text


def described(row: Measurement) -> str:
    """The same kernel and the fallback of a measurement, and its kernels."""
    absent = _OUTSIDE if UNSEEN in row.notes else NOT_RECORDED
    ran = kernel_names(row.kernels) or row.operator or absent
    return "; ".join(filter(None, (label(row.same_kernel), row.fallback, ran)))


def sentences(analysis: Analysis, *, panel: str | None = None) -> list[str]:
    """One for each pair that ran the same kernel, and for each fallback; None: of all panels."""
    rows = [row for row in analysis.with_most_threads if panel in (None, row.panel)]
    same = _by_name(((r.implementation, r.same_kernel), r) for r in rows if r.same_kernel)
    fell = _by_name(((r.implementation, r.fallback), r) for r in rows if r.fallback)
    ran = [
        f"{abbreviated(name)} ran the {label(other)} on {_problems(own)}."
        for (name, other), own in same.items()
    ]
    return [
        *ran[:-1],
        *(f"{each} {MEANING}" for each in ran[-1:]),
        *(f"{abbreviated(name)} {said} on {_problems(own)}." for (name, said), own in fell.items()),
    ]


def _by_name(
    pairs: Iterable[tuple[tuple[str, str], Measurement]],
) -> dict[tuple[str, str], list[Measurement]]:
    found: dict[tuple[str, str], list[Measurement]] = {}
    for key, row in pairs:
        found.setdefault(key, []).append(row)
    return found


def _problems(rows: Sequence[Measurement]) -> str:
    return str(rows[0].problem) if len(rows) == 1 else counted(len(rows), "problem")

"""Evidence of agreement besides the share of the gate: of each answer, of each implementation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.analysis.run_analysis import Analysis
from reports.rows.evidence import Evidence
from reports.views.numbers import percent
from reports.views.text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One implementation over all problems on which it was compared; empty text: not checked.

    worst_row    the largest RMS(error) / RMS(reference) of any row; small rows count as larger
    cosine       the smallest between output and reference
    repeatable   whether a second call gave the same bits
    slope        the largest relative error of the scale, in half precision
    hard_inputs  hard inputs of small sizes with a correct output
    """

    implementation: str
    compared: int
    worst_row: str
    cosine: str
    repeatable: str
    slope: str
    hard_inputs: str


def sentence(found: Evidence) -> str:
    """The evidence of one answer; empty where there is none."""
    parts = (
        "" if found.worst_row is None else f"worst row off by {found.worst_row:.2g}",
        "" if found.cosine is None else f"cosine {found.cosine:.9g}",
        "" if found.slope is None else f"scale off by {percent(abs(found.slope))}",
        "" if found.repeatable is None else _repeats(same=found.repeatable),
        f"{counted(found.hard_inputs, 'hard input')} correct" if found.hard_inputs else "",
    )
    return "; ".join(part for part in parts if part)


def summaries(analysis: Analysis) -> list[Summary]:
    """A row for each implementation that has such evidence."""
    found: dict[str, list[Evidence]] = {entry.name: [] for entry in analysis.plan.entries}
    for row in analysis.outcomes:
        if sentence(row.evidence):
            found[row.implementation].append(row.evidence)
    return [_summary(name, own) for name, own in found.items() if own]


def _summary(name: str, own: Sequence[Evidence]) -> Summary:
    repeats = [each.repeatable for each in own if each.repeatable is not None]
    hard = max(each.hard_inputs or 0 for each in own)
    rows = _known(each.worst_row for each in own)
    cosines = _known(each.cosine for each in own)
    slopes = _known(each.slope for each in own)
    return Summary(
        implementation=name,
        compared=len(own),
        worst_row=f"{max(rows):.2g}" if rows else "",
        cosine=f"{min(cosines):.9g}" if cosines else "",
        repeatable=_counted_repeats(repeats),
        slope=percent(max(map(abs, slopes), default=None)),
        hard_inputs=f"{hard} correct" if hard else "",
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _repeats(*, same: bool) -> str:
    return "a second call gave the same bits" if same else "a second call gave other bits"


def _counted_repeats(repeats: Sequence[bool]) -> str:
    if not repeats:
        return ""
    others = sum(not same for same in repeats)
    return f"other bits on {others} of {len(repeats)}" if others else "the same bits"

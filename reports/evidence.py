"""What the check learnt besides the gate, in words: of each answer, of each implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports import words
from reports.analysis import Analysis
from reports.judging.verdict_words import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One implementation over all problems on which it was compared; empty text: not asked.

    worst_row    the largest RMS(error) / RMS(reference) of any row, small ones counted as larger
    cosine       the smallest between answer and reference
    repeatable   whether a second call gave the same bits
    slope        how far the scale lies off at most, in half precision
    hard_inputs  how many hard inputs of small sizes were answered right
    """

    implementation: str
    compared: int
    worst_row: str
    cosine: str
    repeatable: str
    slope: str
    hard_inputs: str


def sentence(row: dict[str, Any]) -> str:
    """What is known of one answer, a row of `outcomes`; empty where nothing is."""
    parts = (
        words.known(row["worst_row"]) and f"worst row off by {row['worst_row']:.2g}",
        words.known(row["cosine"]) and f"cosine {row['cosine']:.9g}",
        words.known(row["slope"]) and f"scale off by {percent(abs(row['slope']))}",
        row["repeatable"] is not None and _repeats(row["repeatable"]),
        row["hard_inputs"] and f"{words.counted(row['hard_inputs'], 'hard input')} answered right",
    )
    return "; ".join(part for part in parts if part)


def evidence(analysis: Analysis) -> list[Evidence]:
    """A row for each implementation of which more is known than its share of the gate."""
    rows = [row for row in analysis.outcomes if sentence(row)]
    found = []
    for entry in analysis.plan.entries:
        own = [row for row in rows if row["implementation"] == entry.name]
        if own:
            found.append(_of_one(entry.name, own))
    return found


def _of_one(name: str, own: list[dict[str, Any]]) -> Evidence:
    asked = [row["repeatable"] for row in own if row["repeatable"] is not None]
    hard = max(row["hard_inputs"] or 0 for row in own)
    slopes = [abs(slope) for slope in _known(own, "slope")]
    return Evidence(
        implementation=name,
        compared=len(own),
        worst_row=f"{max(rows):.2g}" if (rows := _known(own, "worst_row")) else "",
        cosine=f"{min(cosines):.9g}" if (cosines := _known(own, "cosine")) else "",
        repeatable=_counted_repeats(asked),
        slope=percent(max(slopes, default=None)),
        hard_inputs=f"{hard} right" if hard else "",
    )


def _known(own: list[dict[str, Any]], column: str) -> list[float]:
    return [row[column] for row in own if words.known(row[column])]


def _repeats(same: Any) -> str:
    return "a second call gave the same bits" if same else "a second call gave other bits"


def _counted_repeats(asked: list[Any]) -> str:
    if not asked:
        return ""
    others = sum(not same for same in asked)
    return f"other bits on {others} of {len(asked)}" if others else "the same bits"

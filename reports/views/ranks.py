"""Each rank of a group of processes in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reports.rows.ranks import WIDEST, RankRow
from reports.views.numbers import mebibytes, milliseconds, percent

HEADING: Final = "Ranks"
NOTE: Final = (
    "A group of processes computes each call together, every rank a part of it. The time of the "
    "call is that of its slowest rank."
)
HEADS: Final = (
    "rank",
    "rank ms",
    "sent MiB",
    "rank peak MiB",
    "communication ms",
    "arithmetic ms",
    "overlap",
)
NAMES: Final = (
    "rank",
    "call_ms",
    "sent_bytes",
    "peak_bytes",
    "communication_ms",
    "arithmetic_ms",
    "overlap",
)
"""Of the same columns in downloads."""
MEANINGS: Final[Mapping[str, str]] = {
    "rank": "The number of one process of a group that computes a call together, from 0.",
    "rank ms": "Milliseconds of one call on this rank, the median over the sessions. The time of "
    "the call is that of the slowest rank of each sample.",
    "sent MiB": "Bytes that this rank sends to other ranks in one call, in MiB.",
    "rank peak MiB": "The most bytes that one call holds on this rank at a time, beside its parts "
    "of the inputs, in MiB.",
    "communication ms": "Milliseconds of the transfers of one call alone, without arithmetic.",
    "arithmetic ms": "Milliseconds of one call whose transfers move nothing.",
    "overlap": "Share of the shorter of communication and arithmetic that the other one hides. "
    "100 %: the call takes as long as the longer of the two. 0 %: as long as both in turn. "
    "Below 0 %: longer than that. Not "
    f"resolved: its 95 % interval over the sessions is wider than ± {percent(WIDEST)}.",
}
"""Definitions of the heads."""
UNRESOLVED: Final = "not resolved"
Cell = tuple[str, float | None]


def values(row: RankRow) -> tuple[Cell, ...]:
    """The cells of HEADS: text, and the number to sort by."""
    return (
        (str(row.rank), row.rank),
        (milliseconds(row.call_ms), row.call_ms),
        (mebibytes(row.sent_bytes), row.sent_bytes),
        (mebibytes(row.peak_bytes), row.peak_bytes),
        (milliseconds(row.communication_ms), row.communication_ms),
        (milliseconds(row.arithmetic_ms), row.arithmetic_ms),
        (_overlap(row), row.overlap),
    )


def _overlap(row: RankRow) -> str:
    if row.overlap is None and None not in (row.communication_ms, row.arithmetic_ms):
        return UNRESOLVED
    return percent(row.overlap)

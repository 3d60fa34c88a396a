"""What a run cannot tell, in sentences: nothing is claimed that was not concluded."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reports import words
from reports.analysis import Analysis
from reports.judging.verdict_words import floor_words, imprecise
from reports.machine import NO_GPU, ran_on


def sentences(analysis: Analysis) -> list[str]:
    """What was not concluded and why, how precise the rest is, and where nothing ever ran."""
    rows = analysis.verdicts
    timed = any(record.times_ms for record in analysis.records)
    said = (
        *_open(rows),
        "" if rows or not timed else "Nothing was compared: no problem was answered by two.",
        floor_words(analysis.floor, rows) if timed else "",
        imprecise(analysis.plan, rows),
        "" if ran_on(analysis.run, analysis.records) else f"{NO_GPU[0].upper()}{NO_GPU[1:]}.",
    )
    return [sentence for sentence in said if sentence]


def _open(rows: list[dict[str, Any]]) -> list[str]:
    """Comparisons without a conclusion, those with the same reason counted together."""
    found = Counter(
        (row["verdict"], row["reason"])
        for row in rows
        if row["verdict"] in {"inconclusive", "not judged"}
    )
    return [
        f"{count} of {words.counted(len(rows), 'comparison')} {verdict}"
        + (f": {words.abbreviated(reason, words.LONGEST_TEXT)}." if reason else ".")
        for (verdict, reason), count in found.most_common()
    ]

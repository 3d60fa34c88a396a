"""Faults of an implementation by their cause: one for each, with its sentence and its cure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.rows.answers import STATES, State, state
from suites.records.record import Record

_FINE: Final = ("ok", "refused", "missing", "not_reached")
_PREFIX: Final = re.compile(r"^on a hard input \(.*?\), ")
_ON_HARD: Final = "(on a hard input"
_NUMBER: Final = re.compile(r"[-+]?\b(?:\d[\d.]*(?:e[-+]?\d+)?|inf|nan|none|out|d[qkv])\b")
"""Numbers, and words in their place: keys "none", tensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an implementation does not agree on some problems.

    sentence  what was found, on the problem with the shortest reason
    slip      key of the common slip that explains it; empty: none is known
    cure      what to change; empty: not known
    problems  those that it was found on
    """

    status: State
    sentence: str
    slip: str
    cure: str
    problems: tuple[Problem, ...]


def causes(records: Iterable[Record]) -> list[Cause]:
    """The causes of the records that are faults, the most severe and frequent first.

    Records of one slip have one cause. Others are alike if their status and their reason are,
    numbers aside.
    """
    found: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        if state(record) not in _FINE:
            found[_kind(record)].append(record)
    made = map(_cause, found.values())
    return sorted(made, key=lambda each: (STATES.index(each.status), -len(each.problems)))


def sentence_of(record: Record) -> str:
    """The reason without the input it was found on, without evidence and further clauses.

    The evidence of a slip stands in parentheses at the end.
    """
    return sentence(record.reason, record.slip)


def sentence(reason: str, slip: str) -> str:
    """The same of a reason and the key of its slip; empty: none is known."""
    text = _PREFIX.sub("", reason)
    start = _opening(text) if text.endswith(")") else 0
    if start > 0 and (slip or text.startswith(_ON_HARD, start)):
        text = text[:start].rstrip()
    return _first_clause(text)


def _kind(record: Record) -> tuple[str, ...]:
    if record.slip:
        return (record.slip,)
    return record.status, record.cause, _NUMBER.sub("#", sentence_of(record))


def _cause(alike: list[Record]) -> Cause:
    shortest = min(alike, key=lambda record: len(sentence_of(record)))
    return Cause(
        status=state(alike[0]),
        sentence=sentence_of(shortest),
        slip=shortest.slip,
        cure=next((record.cure for record in alike if record.cure), ""),
        problems=tuple(dict.fromkeys(record.problem for record in alike)),
    )


def _opening(text: str) -> int:
    """The position of the parenthesis that the last character closes; -1 for none."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return -1


def _first_clause(text: str) -> str:
    """The text up to the first semicolon outside of parentheses."""
    depth = 0
    for place, each in enumerate(text):
        depth += {"(": 1, ")": -1}.get(each, 0)
        if each == ";" and depth <= 0:
            return text[:place]
    return text

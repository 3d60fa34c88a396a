"""The result of `check` for one implementation: a verdict, what it can, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK, OPTIONAL
from impls.interface.problem import DTYPES
from reports.analysis.run_analysis import Analysis
from reports.rows.outcomes import Outcome
from reports.rows.panels import APPROXIMATIONS
from reports.views.causes import Cause, causes
from reports.views.numbers import percent, share
from reports.views.text import abbreviated, counted
from suites.discover.discovery import Discovery
from suites.records.plan import Entry
from suites.records.record import Record

_LONGEST: Final = 240
"""Characters of the sentence of a cause."""
MASKS: Final = "masks"
Feature = tuple[str, str]
"""The name of a feature, and the values of it that agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found out about one implementation.

    outcomes  one for each problem of the suite
    agreed    problems on which it agrees
    tried     how many were checked: neither refused nor missing nor left out by a budget
    causes    why it does not agree elsewhere, those of the trials for its limits included
    """

    entry: Entry
    outcomes: tuple[Outcome, ...]
    agreed: tuple[Problem, ...]
    tried: int
    causes: tuple[Cause, ...]

    @property
    def is_sound(self) -> bool:
        """Whether it agrees on all that was checked, and something was."""
        return self.tried > 0 and not self.causes


def every(analysis: Analysis, found: Sequence[Discovery] = ()) -> list[Checked]:
    """The verdict of a check on each implementation, and the limits of plain functions."""
    trials = {each.name: each for each in found}
    return [
        checked(analysis, entry, _faults(trials.get(entry.name))) for entry in analysis.plan.entries
    ]


def _faults(found: Discovery | None) -> list[Record]:
    """The records of trials that failed."""
    if found is None:
        return []
    return [*found.faults, *(r for r in found.verified or () if r.status != "ok")]


def checked(analysis: Analysis, entry: Entry, trials: Sequence[Record] = ()) -> Checked:
    """What the records of a check, and of trials, say of one implementation."""
    own = tuple(row for row in analysis.outcomes if row.implementation == entry.name)
    records = [record for record in analysis.records if record.implementation == entry.name]
    untried = ("refused", "missing", "not_reached")
    return Checked(
        entry=entry,
        outcomes=own,
        agreed=tuple(row.problem for row in own if row.status == "ok"),
        tried=sum(row.status not in untried for row in own),
        causes=tuple(causes([*records, *trials])),
    )


def verdict(found: Checked) -> str:
    """One sentence: it agrees, or it is wrong and why, or what keeps it from agreeing."""
    name = abbreviated(found.entry.name)
    if found.entry.missing:
        word = "called" if found.entry.files else "imported"  # a file that imports is known
        return f"{name} cannot be {word}: {short(found.entry.missing)}"
    if not found.tried:
        why = next((row.reason for row in found.outcomes if row.reason), "nothing was planned")
        return f"{name} was checked on no problem: {short(why)}"
    count = f"{len(found.agreed)} of {counted(found.tried, 'problem')}"
    if not found.causes:
        return f"{name} {_agrees(found, count)}"
    main = found.causes[0]
    if main.status == "wrong":
        said = short(main.sentence).replace(" is wrong: ", ": ", 1)
        return f"{name} is wrong: {said} (it agrees on {count})"
    if not found.agreed:
        return f"{name} agrees on none of {counted(found.tried, 'problem')}: {short(main.sentence)}"
    several = counted(len(found.causes), "cause")
    return f"{name} agrees on {count}; {several} of the others: {short(main.sentence)}"


def features(found: Checked) -> list[Feature]:
    """What it can, one line a feature, from the problems on which it agrees."""
    agreed = found.agreed
    kinds = [
        (MASKS, _ordered((p.mask.kind for p in agreed), EVERY_MASK)),
        ("dtypes", _ordered((p.dtype for p in agreed), DTYPES)),
        ("biases", _ordered((p.bias.kind for p in agreed), EVERY_BIAS)),
        ("head dimensions", ", ".join(map(str, sorted({p.head_dim for p in agreed})))),
        ("grouped heads", _any(p.query_heads != p.key_heads for p in agreed)),
        ("Tq < Tk", _any(p.query_length < p.key_length for p in agreed)),
        ("Tq > Tk", _any(p.query_length > p.key_length for p in agreed)),
        ("training", _any(p.training for p in agreed)),
        ("own scale", _any(p.scale is not None for p in agreed)),
        ("own value dimension", _any(p.value_dim is not None for p in agreed)),
        ("strided layout", _any(p.layout != Problem().layout for p in agreed)),
        *((name, _any(getattr(p, name) for p in agreed)) for name in OPTIONAL),
    ]
    return [*kinds, *evidence(found)] if agreed else []


def evidence(found: Checked) -> list[Feature]:
    """How close the outputs that agree are to the reference, and whether masks were read out."""
    own = [row.evidence for row in found.outcomes if row.status == "ok"]
    used = share(max((each.share for each in own if each.share is not None), default=None))
    read = [each for each in own if each.readout is not None]
    return [
        *([("worst share of the gate", used)] if used else []),
        *([("masks read out", f"exact on {counted(len(read), 'problem')}")] if read else []),
    ]


def outside(found: Checked) -> str:
    """How many problems of the suite it does not accept; empty for none."""
    count = sum(row.status == "refused" for row in found.outcomes)
    return f"{counted(count, 'problem')} of the suite outside of what it accepts" if count else ""


def cannot(cause: Cause, features: str = "") -> str:
    """One line: the features, what was found, on how many problems, and the cure.

    features  that do not hold for this cause, in words
    """
    where = f"{counted(len(cause.problems), 'problem')}, first {cause.problems[0]}"
    parts = (f"{short(cause.sentence)} ({cause.status} on {where})", cause.cure)
    said = "; cure: ".join(short(part) for part in parts if part)
    return f"{features}: {said}" if features else said


def short(text: str) -> str:
    """A text of limited length, for one line."""
    return abbreviated(text, _LONGEST)


def _agrees(found: Checked, count: str) -> str:
    """That it agrees; of an approximation, which no gate judges, its error instead."""
    if found.entry.panel.startswith(APPROXIMATIONS):
        errors = [row.evidence.relative_error for row in found.outcomes]
        known = [each for each in errors if each is not None]
        most = f", RMS error up to {percent(max(known))}" if known else ""
        return f"runs on {count}; it approximates{most}"
    return f"agrees on {count}"


def _ordered(values: Iterable[str], order: Iterable[str]) -> str:
    held = set(values)
    return ", ".join(each for each in order if each in held)


def _any(values: Iterable[object]) -> str:
    return "yes" if any(values) else "no"

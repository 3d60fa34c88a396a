"""Set-up of an implementation beside another one: after how many calls it has paid for itself.

A session gives one value: the set-up of both, and the time of a later call of both. Set-up is the
step before the calls and the first call, which compiles, tunes or builds masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.rows.measurements import Measurement
from reports.rows.timings import session_ms
from suites.records.profile import Profile
from suites.records.record import Record
from suites.stats.intervals import Interval, over_sessions
from suites.stats.verdicts import Word

Outcome = Literal["paid", "at once", "never"]


@dataclass(frozen=True, slots=True)
class Paid:
    """Whether the set-up of the first implementation pays for itself against the second.

    paid     after `calls` calls both have taken the same time
    at once  it is faster, and its set-up takes no longer
    never    it is not shown to be faster

    calls      the first call included; None unless it is paid
    low, high  the 95 % interval over sessions; None where a session has no such number
    """

    outcome: Outcome
    calls: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SetUpRow:
    """Set-up on one problem: of a profile, of the baseline beside it, and whether it has paid.

    paid      of the profiled implementation against the baseline; None: nothing to compare
    baseline  of the baseline against the profiled implementation
    """

    profile: Profile
    own: Measurement
    other: Measurement | None
    paid: Paid | None
    baseline: Paid | None


def set_up_rows(found: ProfiledRun) -> list[SetUpRow]:
    """A row for each profile that has times, but for the baseline beside another profile."""
    rows = [row for each in found.profiles if (row := _row(found, each)) is not None]
    compared = {row.profile.problem for row in rows if row.other is not None}
    return [row for row in rows if row.other is not None or row.profile.problem not in compared]


def _row(found: ProfiledRun, profile: Profile) -> SetUpRow | None:
    own, judged = found.measurement(profile), found.verdict(profile)
    if own is None:
        return None
    if judged is None:
        return SetUpRow(profile, own, None, None, None)
    records = found.analysis.timed[profile.problem, profile.threads]
    sides = (records[profile.implementation], records[judged.baseline])
    is_base = (profile.problem, judged.baseline, profile.threads)
    other = next(
        row
        for row in found.analysis.measurements
        if (row.problem, row.implementation, row.threads) == is_base
    )
    return SetUpRow(
        profile,
        own,
        other,
        paid(*sides, faster=judged.verdict),
        paid(*reversed(sides), faster=_swapped(judged.verdict)),
    )


def _swapped(word: Word) -> Word:
    """The verdict seen from the other implementation."""
    swapped: dict[Word, Word] = {"faster": "slower", "slower": "faster"}
    return swapped.get(word, word)


def paid(own: Sequence[Record], other: Sequence[Record], *, faster: Word) -> Paid:
    """After how many calls the set-up of the first implementation has paid for itself.

    own, other  records with times, with the same threads
    faster      the verdict on the first one
    """
    later = {record.session: record for record in other}
    both = [(each, later[each.session]) for each in own if each.session in later]
    if faster != "faster" or not both:
        return Paid("never")
    extra = [set_up_ms(one) - set_up_ms(two) for one, two in both]
    saved = [session_ms(two) - session_ms(one) for one, two in both]
    if median(extra) <= 0:
        return Paid("at once")
    if min(*extra, *saved) <= 0:  # such a session has no number of calls
        gain = median(saved)
        return Paid("paid", 1 + median(extra) / gain) if gain > 0 else Paid("never")
    logs = [math.log(cost / gain) for cost, gain in zip(extra, saved, strict=True)]
    found = over_sessions(logs)
    if not isinstance(found, Interval):
        return Paid("paid", 1 + median(extra) / median(saved))
    return Paid("paid", 1 + found.estimate, 1 + found.low, 1 + found.high)


def set_up_ms(record: Record) -> float:
    """Milliseconds until the first output: the step before the calls, and the first call."""
    return (record.prepare_ms or 0.0) + (record.first_call_ms or 0.0)

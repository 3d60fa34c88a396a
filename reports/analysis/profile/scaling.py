"""Growth of the operators of a profile with the length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.analysis.growth.exponents import Exponent, local
from reports.analysis.profile.operators import Operators
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.rows.families import LENGTH
from reports.rows.timings import session_ms
from suites.records.operator_kinds import plain
from suites.records.profile import Profile

LEAST_SHARE: Final = 0.01
"""Operators below this share of the call at every length are not listed."""


@dataclass(frozen=True, slots=True)
class Growth:
    """An operator over lengths.

    took_ms  its own time, by length: its share of the profiled call, of the measured time of a
             call; 0 where it does not run
    shares   of the call, by length
    lengths  the shortest and the longest one
    """

    name: str
    took_ms: tuple[float, ...]
    shares: tuple[float, ...]
    lengths: tuple[int, int]

    @property
    def exponent(self) -> float | None:
        """Of its time between the shortest and the longest length; None where it lacks one."""
        first, last = self.took_ms[0], self.took_ms[-1]
        if not first or not last:
            return None
        shorter, longer = self.lengths
        return math.log(last / first) / math.log(longer / shorter)


@dataclass(frozen=True)
class Scaling:
    """The profiles of one implementation on problems that differ in the length only.

    lengths    the shortest first
    operators  with a share of the call that matters at a length; the longest at the last one first
    measured   the exponent of the run's own times between the first and the last length; None
               where one of them has no times
    """

    implementation: str
    every: tuple[Operators, ...]
    lengths: tuple[int, ...]
    operators: tuple[Growth, ...]
    measured: Exponent | None


def scalings(found: ProfiledRun) -> list[Scaling]:
    """One for each implementation with profiles of two lengths or more."""
    groups: dict[object, list[Profile]] = {}
    for each in found.profiles:
        if each.nodes and not each.unseen:
            key = (each.implementation, each.threads, each.problem.without("length"))
            groups.setdefault(key, []).append(each)
    return [made for each in groups.values() if (made := _scaling(found, each)) is not None]


def _scaling(found: ProfiledRun, profiles: Iterable[Profile]) -> Scaling | None:
    by_length = {LENGTH.size(each.problem): each for each in profiles}
    lengths = tuple(sorted(by_length))
    if len(lengths) < 2:
        return None
    own = [by_length[length] for length in lengths]
    every = tuple(Operators(each, found.analysis) for each in own)
    return Scaling(
        implementation=own[0].implementation,
        every=every,
        lengths=lengths,
        operators=tuple(_operators(every, lengths)),
        measured=_measured(found, own, lengths),
    )


def _operators(every: Sequence[Operators], lengths: Sequence[int]) -> Iterator[Growth]:
    sums = [_by_name(each) for each in every]
    names = dict.fromkeys(name for each in reversed(sums) for name in each)
    for name in sorted(names, key=lambda each: -sums[-1].get(each, 0)):
        shares = tuple(
            own.get(name, 0) / each.call_ns for own, each in zip(sums, every, strict=True)
        )
        if max(shares) >= LEAST_SHARE:
            both = zip(shares, every, strict=True)
            took_ms = tuple(share * each.measured_ms for share, each in both)
            yield Growth(name, took_ms, shares, (lengths[0], lengths[-1]))


def _by_name(found: Operators) -> dict[str, int]:
    """The time of each operator; in place or not, it is one."""
    sums: dict[str, int] = {}
    for row in found.by_operator:
        sums[plain(row.name)] = sums.get(plain(row.name), 0) + row.self_ns
    return sums


def _measured(
    found: ProfiledRun, own: Sequence[Profile], lengths: Sequence[int]
) -> Exponent | None:
    """The exponent of the measured times between the shortest and the longest length."""
    times = []
    for each in (own[0], own[-1]):
        records = found.analysis.timed.get((each.problem, each.threads), {})
        sessions = {r.session: session_ms(r) for r in records.get(each.implementation, ())}
        if not sessions or not all(sessions.values()):
            return None
        times.append(sessions)
    return local(lengths[0], lengths[-1], *times)

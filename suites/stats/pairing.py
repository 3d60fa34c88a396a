"""Ratios of two implementations, session by session, and ratios of twins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from suites.stats.intervals import log_ratio, round_log_ratios

APART: Final = "not measured in the same rounds: the ratio of the medians"
"""The note of a pair whose samples cannot be paired by round."""


class Samples(Protocol):
    """The fields of a record that pairing reads: of one implementation in one session.

    A protocol, since records build on this room.
    """

    @property
    def session(self) -> int:
        """Number of the session."""

    @property
    def times_ms(self) -> Sequence[float]:
        """Milliseconds of one call, a sample for each round tried."""

    @property
    def twin_ms(self) -> Sequence[float]:
        """The samples of its twin in the same rounds; empty without one."""

    @property
    def again_ms(self) -> Sequence[float]:
        """The samples of the same code in another process, in the same rounds; empty without."""

    @property
    def in_rounds(self) -> bool:
        """Whether the samples were taken in rounds with others."""

    @property
    def conditions(self) -> object:
        """State of the machine in those rounds; equal for implementations in the same rounds."""

    @property
    def rounds(self) -> Sequence[int]:
        """Indices of the rounds that figures are computed from."""

    @property
    def quiet_rounds(self) -> Sequence[int]:
        """Indices of the rounds that were not disturbed."""

    @property
    def disturbed_rounds(self) -> int:
        """Number of disturbed rounds among those tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Log ratios of one implementation over the base.

    log_ratios      one for each session, from the rounds that figures are computed from
    all_log_ratios  one for each session, from all rounds, disturbed ones included
    quiet_log_ratios
                    one for each session with at least two quiet rounds, from those alone
    rounds          of the last session, one for each round that figures are computed from; empty
                    when its samples are not paired by round
    tried           number of rounds in all sessions
    disturbed       number of disturbed rounds among them
    note            remark for the reader on how samples are paired; empty for none
    """

    log_ratios: tuple[float, ...] = ()
    all_log_ratios: tuple[float, ...] = ()
    quiet_log_ratios: tuple[float, ...] = ()
    rounds: tuple[float, ...] = ()
    tried: int = 0
    disturbed: int = 0
    note: str = ""


def counted(quiet: tuple[int, ...], tried: int) -> tuple[int, ...]:
    """The rounds that figures are computed from: the quiet ones if at least half are quiet, or all.

    On a machine that is always disturbed, a median over many pairs is more precise than one over
    the few quiet pairs. RMS error of the ratio of identical arms there, over 48 sessions of calls
    below 1 ms: all rounds 0.40 %, quiet rounds only 2.4 %, this rule 0.43 %.
    """
    return quiet if len(quiet) >= max(2, tried / 2) else tuple(range(tried))


def pair(base: Iterable[Samples], other: Iterable[Samples]) -> Pair:
    """The log ratios of the sessions with times of both, in order of the sessions.

    Raises ValueError for a sample of 0 ms.
    """
    bases = {record.session: record for record in base if record.times_ms}
    others = {record.session: record for record in other if record.times_ms}
    both = [(bases[session], others[session]) for session in sorted(bases.keys() & others.keys())]
    together = [share_rounds(*each) for each in both]
    found = [_log_ratios(*each, paired=paired) for each, paired in zip(both, together, strict=True)]
    return Pair(
        log_ratios=tuple(each.counted for each in found),
        all_log_ratios=tuple(each.every for each in found),
        quiet_log_ratios=tuple(each.quiet for each in found if each.quiet is not None),
        rounds=tuple(_rounds(*both[-1])) if both and together[-1] else (),
        tried=sum(len(each.times_ms) for _, each in both),
        disturbed=sum(each.disturbed_rounds for _, each in both),
        note="" if all(together) else APART,
    )


def twin_log_ratios(records: Iterable[Samples]) -> list[float]:
    """Log ratios of twin over original, one for each session with a twin and a working clock."""
    return [
        log_ratio(_of_rounds(each, each.times_ms), _of_rounds(each, each.twin_ms), paired=True)
        for each in records
        if each.twin_ms and min(*each.twin_ms, *each.times_ms) > 0
    ]


def log_ratios_between(records: Iterable[Samples]) -> list[float]:
    """Log ratios of the same code in another process over this one, one for each such session."""
    return [
        log_ratio(_of_rounds(each, each.times_ms), _of_rounds(each, each.again_ms), paired=True)
        for each in records
        if each.again_ms and min(*each.again_ms, *each.times_ms) > 0
    ]


class _LogRatios(NamedTuple):
    """The log ratios of one session, by the rounds that they are computed from.

    counted  the rounds that figures are computed from
    every    all rounds
    quiet    the quiet ones; None for fewer than two
    """

    counted: float
    every: float
    quiet: float | None


def _log_ratios(base: Samples, other: Samples, *, paired: bool) -> _LogRatios:
    every = log_ratio(base.times_ms, other.times_ms, paired=paired)
    quiet: float | None = every
    if base.disturbed_rounds or other.disturbed_rounds:
        chosen = [_at(each.quiet_rounds, each.times_ms) for each in (base, other)]
        quiet = log_ratio(*chosen, paired=paired) if min(map(len, chosen)) > 1 else None
    pairs = [_of_rounds(each, each.times_ms) for each in (base, other)]
    if all(len(own) == len(each.times_ms) for own, each in zip(pairs, (base, other), strict=True)):
        return _LogRatios(every, every, quiet)
    return _LogRatios(log_ratio(*pairs, paired=paired), every, quiet)


def _rounds(base: Samples, other: Samples) -> list[float]:
    return round_log_ratios(*(_of_rounds(r, r.times_ms) for r in (base, other)))


def share_rounds(base: Samples, other: Samples) -> bool:
    """Whether samples of equal index are of the same round.

    Not for calls that are timed apart, nor when one of the two was measured again later.
    """
    together = base.in_rounds and other.in_rounds and base.conditions == other.conditions
    return together and len(base.times_ms) == len(other.times_ms)


def _of_rounds(record: Samples, samples: Sequence[float]) -> list[float]:
    """The samples that figures are computed from."""
    return _at(record.rounds, samples)


def _at(rounds: Sequence[int], samples: Sequence[float]) -> list[float]:
    return list(samples) if len(rounds) == len(samples) else [samples[index] for index in rounds]

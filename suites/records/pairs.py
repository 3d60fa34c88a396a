"""What the sessions that timed two implementations tell of their ratio, and what twins tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from suites.measure.statistics import log_ratio, round_log_ratios
from suites.records.record import Record

APART: Final = "samples that stand in no rounds in common: the ratio of their medians"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two implementations, session by session; ratios are those of the other to the base.

    log_ratios      one a session, of the rounds that figures are made from
    all_log_ratios  one a session, of all its rounds, the disturbed ones too
    rounds          the log ratios of the last session's rounds, those figures are made from; empty
                    where its samples stand in no rounds in common
    tried           rounds of all sessions
    disturbed       how many of them did not count as quiet
    note            what a reader has to know of the pairing; empty for nothing
    """

    log_ratios: tuple[float, ...] = ()
    all_log_ratios: tuple[float, ...] = ()
    rounds: tuple[float, ...] = ()
    tried: int = 0
    disturbed: int = 0
    note: str = ""


def pair(base: Iterable[Record], other: Iterable[Record]) -> Pair:
    """The sessions that have times of both, in order.

    Raises ValueError for a sample of no time: the clock stood still.
    """
    ours = {record.session: record for record in base if record.times_ms}
    beside = {record.session: record for record in other if record.times_ms}
    both = [(ours[session], beside[session]) for session in sorted(ours.keys() & beside.keys())]
    together = [_share_rounds(*each) for each in both]
    found = [_log_ratios(*each, paired=paired) for each, paired in zip(both, together, strict=True)]
    return Pair(
        log_ratios=tuple(quiet for quiet, _ in found),
        all_log_ratios=tuple(every for _, every in found),
        rounds=tuple(_rounds(*both[-1])) if both and together[-1] else (),
        tried=sum(len(each.times_ms) for _, each in both),
        disturbed=sum(_disturbed(each) for _, each in both),
        note="" if all(together) else APART,
    )


def twin_log_ratios(records: Iterable[Record]) -> list[float]:
    """How far each session's baseline lay from its twin: one log ratio for each that has one."""
    return [
        log_ratio(_of_rounds(each, each.times_ms), _of_rounds(each, each.twin_ms), paired=True)
        for each in records
        if each.twin_ms and min(*each.twin_ms, *each.times_ms) > 0
    ]


def _log_ratios(base: Record, other: Record, *, paired: bool) -> tuple[float, float]:
    """The log ratio of one session: of the rounds that figures are made from, and of all."""
    pairs = [_of_rounds(each, each.times_ms) for each in (base, other)]
    quiet = log_ratio(*pairs, paired=paired)
    if all(len(own) == len(each.times_ms) for own, each in zip(pairs, (base, other), strict=True)):
        return quiet, quiet
    return quiet, log_ratio(base.times_ms, other.times_ms, paired=paired)


def _rounds(base: Record, other: Record) -> list[float]:
    return round_log_ratios(*(_of_rounds(r, r.times_ms) for r in (base, other)))


def _share_rounds(base: Record, other: Record) -> bool:
    """Whether samples of the same place stand in the same round.

    Not for calls taken apart, nor where one had to be measured anew: its rounds were others.
    """
    together = base.in_rounds and other.in_rounds and base.conditions == other.conditions
    return together and len(base.times_ms) == len(other.times_ms)


def _of_rounds(record: Record, samples: Sequence[float]) -> list[float]:
    """The samples that figures are made from."""
    rounds = record.rounds
    return list(samples) if len(rounds) == len(samples) else [samples[index] for index in rounds]


def _disturbed(record: Record) -> int:
    return sum(map(bool, record.conditions.disturbed)) if record.conditions else 0

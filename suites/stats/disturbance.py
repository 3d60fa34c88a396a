"""Disturbed rounds: when a round is one, and verdicts that depend on leaving such rounds out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from suites.stats.pairing import Pair
from suites.stats.verdicts import Verdict, Word, judge

WAITED_SHARE: Final = 0.02
"""A round is disturbed when its threads wait for a CPU longer than this share of it. Dropping such
samples kept 93 % of them and halved their spread, from 12.9 % to 6.0 %."""
SLOW_PROBE: Final = 1.15
"""A round is disturbed when its probe takes longer than this multiple of its usual time."""
DECIDED: Final[frozenset[Word]] = frozenset({"faster", "slower", "same"})
"""Verdicts that conclude something."""


def judge_pair(found: Pair, *, delta: float, floor: float | None = None) -> Verdict:
    """The verdict on a pair, withheld where the choice of rounds decides it.

    Figures use the quiet rounds of a session where at least half are quiet, otherwise all rounds.
    All rounds together, and the quiet rounds alone, are judged as well. A decided verdict becomes
    inconclusive where one of them contradicts it (`contradicts`): interference, not the code, may
    then make the difference. No verdict becomes more certain by this rule, and a majority of
    disturbed rounds does not withhold one by itself: rounds are interleaved, so that interference
    acts on both sides of a ratio, and the twin's noise floor was measured in the same rounds.

    delta  smallest difference that counts, relative
    floor  noise floor, relative; None without a twin
    """
    verdict = judge(found.log_ratios, delta=delta, floor=floor, rounds=found.rounds)
    if verdict.word not in DECIDED:
        return verdict
    for rounds, log_ratios in _others(found):
        other = judge(log_ratios, delta=delta, floor=floor)
        if contradicts(verdict, other):
            reason = f"withheld: {rounds} give the ratio {other.ratio:.3g}"
            parts = "; ".join(filter(None, [verdict.reason, reason]))
            return replace(
                verdict, word="inconclusive", reason=parts, more_sessions=None, withheld=True
            )
    return verdict


def contradicts(verdict: Verdict, other: Verdict) -> bool:
    """Whether other rounds contradict a decided verdict.

    They do where they decide on another word, or where their ratio lies on the other side of 1 by
    more than delta. Fewer rounds that decide nothing do not.
    """
    if verdict.word not in DECIDED or other.ratio is None:
        return False
    if other.word in DECIDED:
        return other.word != verdict.word
    if verdict.word == "faster":
        return other.ratio > 1 + verdict.delta
    return verdict.word == "slower" and other.ratio < 1 / (1 + verdict.delta)


def _others(found: Pair) -> Iterator[tuple[str, tuple[float, ...]]]:
    """The other choices of rounds in words, with their log ratios."""
    for rounds, log_ratios in (
        ("all rounds", found.all_log_ratios),
        ("the quiet rounds alone", found.quiet_log_ratios),
    ):
        if log_ratios and log_ratios != found.log_ratios:
            yield rounds, log_ratios

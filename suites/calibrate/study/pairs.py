"""Pairs whose true ratio is known, with what a method measured and concluded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final, Literal

from suites.calibrate.protocol import Calibration
from suites.stats.intervals import Interval, over_sessions

Kind = Literal["identical", "slowed"]
Word = Literal["faster", "slower", "no difference"]

RISK: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What one method said of one pair, once.

    truth    the time of the other arm over the base's, as it was built
    ratio    the same, as measured
    decided  what the method concludes at a risk of 5 %
    """

    problem: str
    kind: Kind
    truth: float
    ratio: float
    decided: Word

    @property
    def error(self) -> float:
        """How far the measured ratio lies from the true one, relative."""
        return abs(self.ratio / self.truth - 1)


def from_sessions(calibrations: Sequence[Calibration]) -> list[Pair]:
    """The pairs of one problem, decided by the Student interval over its sessions."""
    log_truth = fmean(math.log(each.truth) for each in calibrations)
    return [
        _by_interval(calibrations, "identical", "twin", 0.0),
        _by_interval(calibrations, "slowed", "slowed", log_truth),
    ]


def from_samples(problem: str, times: Mapping[str, Sequence[float]], truth: float) -> list[Pair]:
    """The pairs of one problem as ratios of medians, decided by Mann-Whitney's test.

    times  of the arms base, same and slowed, in any one unit
    truth  how many times slower the arm `slowed` is
    """
    return [
        _by_ranks(problem, "identical", times["base"], times["same"], 1.0),
        _by_ranks(problem, "slowed", times["base"], times["slowed"], truth),
    ]


def _by_interval(
    calibrations: Sequence[Calibration], kind: Kind, arm: str, log_truth: float
) -> Pair:
    log_ratios = [each.log_ratio(arm) for each in calibrations]
    found = over_sessions(log_ratios)
    ratio = math.exp(fmean(log_ratios))
    return Pair(
        problem=calibrations[0].problem,
        kind=kind,
        truth=math.exp(log_truth),
        ratio=ratio,
        decided=_word(ratio, different=isinstance(found, Interval) and found.excludes_one),
    )


def _by_ranks(
    problem: str, kind: Kind, base: Sequence[float], other: Sequence[float], truth: float
) -> Pair:
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - slow to import, and only needed here

    ratio = median(other) / median(base)
    different = bool(mannwhitneyu(base, other).pvalue < RISK)
    return Pair(
        problem=problem,
        kind=kind,
        truth=truth,
        ratio=ratio,
        decided=_word(ratio, different=different),
    )


def _word(ratio: float, *, different: bool) -> Word:
    if not different:
        return "no difference"
    return "slower" if ratio > 1 else "faster"

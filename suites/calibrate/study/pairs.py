"""Pairs of known ratio: what a method measured and concluded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from suites.calibrate.protocol import Calibration
from suites.stats.intervals import RISK, Interval, over_sessions

Kind = Literal["identical", "slowed"]
Word = Literal["faster", "slower", "no difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The result of one method for one pair.

    truth    the true ratio of the other arm to the base
    ratio    the measured ratio
    decided  conclusion of the method at a risk of 5 %
    """

    problem: str
    kind: Kind
    truth: float
    ratio: float
    decided: Word

    @property
    def error(self) -> float:
        """Relative error of the measured ratio."""
        return abs(self.ratio / self.truth - 1)


def from_sessions(calibrations: Sequence[Calibration]) -> list[Pair]:
    """The pairs of one problem, decided by the Student interval over its sessions."""
    problem = calibrations[0].problem
    truth = math.exp(fmean(math.log(each.truth) for each in calibrations))
    arms: tuple[tuple[Kind, str, float], ...] = (
        ("identical", "twin", 1.0),
        ("slowed", "slowed", truth),
    )
    pairs = []
    for kind, arm, true_ratio in arms:
        log_ratios = [each.log_ratio(arm) for each in calibrations]
        found = over_sessions(log_ratios)
        different = isinstance(found, Interval) and found.excludes_one
        pairs.append(_pair(problem, kind, true_ratio, math.exp(fmean(log_ratios)), different))
    return pairs


def from_samples(problem: str, times: Mapping[str, Sequence[float]], truth: float) -> list[Pair]:
    """The pairs of one problem: ratios of medians, decided by the Mann-Whitney test.

    times  of the arms base, same and slowed, in any one unit
    truth  true ratio of the arm `slowed` to the base
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - 1.8 s to import, needed only here

    base = times["base"]
    arms: tuple[tuple[Kind, str, float], ...] = (
        ("identical", "same", 1.0),
        ("slowed", "slowed", truth),
    )
    return [
        _pair(
            problem,
            kind,
            true_ratio,
            median(times[arm]) / median(base),
            bool(mannwhitneyu(base, times[arm]).pvalue < RISK),
        )
        for kind, arm, true_ratio in arms
    ]


def _pair(problem: str, kind: Kind, truth: float, ratio: float, different: bool) -> Pair:  # noqa: FBT001 - private
    word: Word = "no difference"
    if different:
        word = "slower" if ratio > 1 else "faster"
    return Pair(problem=problem, kind=kind, truth=truth, ratio=ratio, decided=word)

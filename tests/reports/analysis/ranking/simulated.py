"""Curves whose crossings are known, and sessions with noise about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reports.analysis.ranking.crossings import Array, Crossing, crossings

LENGTHS: Final = (128, 256, 512, 1024, 2048, 4096)
SESSIONS: Final = 5


@dataclass(frozen=True)
class Scenario:
    """A curve over lengths, where it changes its sign, and the noise of a point, relative.

    Each session's offset has half of that noise.
    """

    name: str
    curve: Callable[[Array], Array]
    truths: tuple[float, ...]
    noise: float
    lengths: tuple[int, ...] = LENGTHS


def power(slope: float, *, at: float) -> Callable[[Array], Array]:
    """Of two powers of the length."""
    return lambda lengths: slope * np.log(lengths / at)


def bent(at: float) -> Callable[[Array], Array]:
    """Of a square that takes over from a constant, beside a line that does."""

    def ratio(lengths: Any) -> Any:
        return np.log1p((lengths / 300) ** 2) - np.log(3 + lengths / 200)

    return lambda lengths: ratio(lengths) - ratio(at)


def arch(low: float, high: float) -> Callable[[Array], Array]:
    """Of two that change twice."""
    return lambda lengths: 0.1 * np.log(lengths / low) * np.log(high / lengths)


SCENARIOS: Final = (
    Scenario("steep, at a length", power(1, at=512), (512,), 0.01),
    Scenario("steep, between", power(1, at=812), (812,), 0.03),
    Scenario("flat, at a length", power(0.1, at=1024), (1024,), 0.01),
    Scenario("flat, between", power(0.1, at=700), (700,), 0.02),
    Scenario("flat, first lengths", power(0.1, at=180), (180,), 0.01),
    Scenario("bent, at a length", bent(512), (512,), 0.02),
    Scenario("bent, first lengths", bent(180), (180,), 0.03),
    Scenario("bent, between", bent(362), (362,), 0.02),
    Scenario("bent, between, quiet", bent(812), (812,), 0.01),
    Scenario("bent, last lengths", bent(3000), (3000,), 0.03),
    Scenario("twice", arch(200, 2500), (200, 2500), 0.02),
)
"""A crossing for certain."""
PERHAPS: Final = (
    Scenario("flat, near the end", power(0.05, at=3700), (3700,), 0.03),
    Scenario("at the first length", power(0.3, at=128), (128,), 0.02),
    Scenario("beyond the last length", power(0.1, at=4300), (4300,), 0.03),
)
"""One that may not show, or lies outside."""
FEW: Final = (
    Scenario("four lengths, flat", power(0.1, at=700), (700,), 0.02, (256, 512, 1024, 2048)),
    Scenario("four lengths, bent", bent(362), (362,), 0.02, (256, 512, 1024, 2048)),
    Scenario("four lengths, far apart, bent", bent(300), (300,), 0.02, (128, 512, 2048, 8192)),
    Scenario("two lengths, straight", power(0.2, at=300), (300,), 0.02, (256, 512)),
)
SAME: Final = Scenario("the same code", lambda lengths: 0 * lengths, (), 0.02)


def simulated(scenario: Scenario, runs: int, seed: int) -> list[list[Crossing]]:
    """What is found in so many runs."""
    random = np.random.default_rng(seed)
    mean = scenario.curve(np.array(scenario.lengths, dtype=np.float64))
    points = random.normal(0, scenario.noise, (runs, SESSIONS, len(mean)))
    offsets = random.normal(0, scenario.noise / 2, (runs, SESSIONS, 1))
    return [crossings(scenario.lengths, each) for each in mean + points + offsets]


def covered(found: list[list[Crossing]], truth: float) -> tuple[int, int]:
    """How many of the runs that show a crossing have an interval with the truth, and how many."""
    shown = [each for each in found if each]
    holding = [each for each in shown if any(_holds(one, truth) for one in each)]
    return len(holding), len(shown)


def _holds(crossing: Crossing, truth: float) -> bool:
    low, high = crossing.low, crossing.high
    return (low is None or low <= truth) and (high is None or truth <= high)

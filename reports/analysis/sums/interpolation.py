"""Times at lengths that were not measured, between neighbours that differ in length only.

Both time and length are logarithms: a power law is met exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from suites.stats.intervals import RISK

Array = np.ndarray[Any, np.dtype[np.float64]]
STEEPEST: Final = 2
"""Time grows at most with the square of the length, and does not fall: attention does as much work
as its scores have elements."""


def between(length: int, lower: int, upper: int, times: Mapping[int, Array]) -> Array:
    """The times at a length [sessions], from those of its two neighbours in the same session."""
    weight = math.log(length / lower) / math.log(upper / lower)
    return np.asarray(np.exp((1 - weight) * np.log(times[lower]) + weight * np.log(times[upper])))


def half_width(length: int, lower: int, upper: int, times: Mapping[int, Array]) -> float:
    """The error of the interpolation itself, as a 95 % half-width in logarithms.

    times  of all measured lengths, one value for each session

    Each inner measured length is left out and predicted from its neighbours. The root mean square
    of these errors, times Student's quantile for their number, is the half-width. With few
    errors the quantile is large. So the half-width is at most the root of squares of their root
    mean square and of the bound for a time that grows with an exponent from 0 to 2.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.8 s to import

    logs = {each: float(np.nanmean(np.log(own))) for each, own in times.items()}
    bound, errors = _bound(length, lower, upper, logs), _left_out(logs)
    if not errors:
        return bound
    rms = math.sqrt(sum(each**2 for each in errors) / len(errors))
    return min(math.hypot(bound, rms), float(stdtrit(len(errors), 1 - RISK / 2)) * rms)


def _predicted(length: int, lower: int, upper: int, logs: Mapping[int, float]) -> float:
    weight = math.log(length / lower) / math.log(upper / lower)
    return (1 - weight) * logs[lower] + weight * logs[upper]


def _left_out(logs: Mapping[int, float]) -> list[float]:
    """ln(predicted / measured) of every inner length."""
    lengths = sorted(logs)
    inner = zip(lengths, lengths[1:], lengths[2:], strict=False)
    return [_predicted(own, lower, upper, logs) - logs[own] for lower, own, upper in inner]


def _bound(length: int, lower: int, upper: int, logs: Mapping[int, float]) -> float:
    """The largest log distance of the predicted time from one that the exponents allow."""
    found = _predicted(length, lower, upper, logs)
    least = max(logs[lower], logs[upper] - STEEPEST * math.log(upper / length))
    most = min(logs[upper], logs[lower] + STEEPEST * math.log(length / lower))
    return max(found - least, most - found, 0.0)

"""Figures as text: the same in the terminal, on charts and on the page."""

from __future__ import annotations

import math
from typing import Final

NOT_SEEN: Final = "not seen"
"""Stands for bytes that another library's allocator gave out."""
_MOST_SHARE: Final = 1000
"""A larger share of the gate is shown as more than this."""
_LEAST_TIMES: Final = 0.01
"""A smaller multiple has no digit left among its two decimals."""
_LEAST_RATIO: Final = 0.001
_MOST_RATIO: Final = 1000
"""Ratios beyond these are shown as less or more: longer numbers would leave no room for names."""


def known(value: float | None) -> bool:
    """Whether a value was measured: neither None nor NaN."""
    return value is not None and not math.isnan(value)


def three_digits(value: float) -> str:
    """A number with three significant digits and no exponent: 0.0123, 4.12, 412, 41200."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def number(value: float | None) -> str:
    """A count that may be an average: 0, 1.5, 412; empty when not measured."""
    return three_digits(value) if value is not None and known(value) else ""


def milliseconds(value: float | None) -> str:
    """A time in milliseconds, without its unit; empty when not measured."""
    return number(value)


def mebibytes(value: float | None) -> str:
    """Bytes as MiB, without the unit; empty when not measured."""
    return three_digits(value / 2**20) if value is not None and known(value) else ""


def spread(low: float | None, high: float | None) -> str:
    """Two ends of a spread in milliseconds, as `4.10 to 4.31`; empty when not measured."""
    ends = (milliseconds(low), milliseconds(high))
    return " to ".join(ends) if all(ends) else ""


def share(value: float | None) -> str:
    """The share used of what the gate allows: 0.12, >1000; empty for nothing compared."""
    if value is None or not known(value):
        return ""
    return f"{value:.2f}" if value <= _MOST_SHARE else f">{_MOST_SHARE}"


def attainable(share: float | None, *, checked_again: bool = False) -> str:
    """The share of the attainable rate that was reached; empty when not measured.

    Above the measured ceiling no number is shown: the data came from a faster cache.
    """
    if share is None or not known(share):
        return ""
    if share > 1:
        return "above the measured ceiling" + (", checked again" if checked_again else "")
    return f"{three_digits(100 * share)} %"


def percent(value: float | None) -> str:
    """A relative difference: 0.34 %, 1 %, 12 %; empty when not measured."""
    if value is None or not known(value):
        return ""
    return f"{three_digits(100 * value) if abs(value) >= 0.995 else f'{100 * value:.2g}'} %"


def floor(value: float | None) -> str:
    """A noise floor: 0.34 %, 12 %, >100 %; empty when not measured."""
    return ">100 %" if value is not None and value > 1 else percent(value)


def ratio(value: float | None) -> str:
    """A ratio, to a thousandth where it is near 1: 0.0123, 0.998, 41.2, >1000; empty for none."""
    if value is None or not known(value):
        return ""
    if value < _LEAST_RATIO or value > _MOST_RATIO:
        return f"<{_LEAST_RATIO:g}" if value < 1 else f">{_MOST_RATIO:g}"
    return f"{value:.3f}" if 0.1 <= value < 10 else three_digits(value)


def ratio_in(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval, where it has one: 0.998 [0.991, 1.005]."""
    ends = (ratio(low), ratio(high))
    return f"{ratio(value)} [{', '.join(ends)}]" if all(ends) else ratio(value)


def times(value: float | None) -> str:
    """A multiple of a time: <0.01x, 0.35x, 1.30x, 12.3x, >1000x; empty for none."""
    return f"{_multiple(value, value)}x" if value is not None and known(value) else ""


def times_of(value: float | None, low: float | None, high: float | None, whose: str) -> str:
    """A multiple of another time, with its interval where it has one: 1.30x its time [1.21, 1.39].

    whose  the other time, in words: its time, the time of naive
    """
    if value is None or low is None or high is None:
        return f"{times(value)} {whose}"
    ends = ", ".join(_multiple(end, value) for end in (low, high))
    return f"{times(value)} {whose} [{ends}]"


def _multiple(value: float, beside: float) -> str:
    """With as many decimals as `beside` has: two near 1, where the first of them says little."""
    if value < _LEAST_TIMES or value > _MOST_RATIO:
        return f"<{_LEAST_TIMES:g}" if value < 1 else f">{_MOST_RATIO:g}"
    decimals = 2 if beside < 2 else 1 if beside < 100 else 0
    return f"{value:.{decimals}f}"

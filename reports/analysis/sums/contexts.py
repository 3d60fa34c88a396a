"""How far the time of a call in a script is from its time in a session.

In a script, other layers run between two calls: caches hold their data, and the C library may map
fresh pages. The function of the script was timed in both places; that of an implementation to put
in was not, so its difference is part of the interval of what it saves.

An implementation with large intermediate results also slows the layers after it. So on a CPU the
calls of a workload are timed inside layers of dense work, too. `script_costs` has what these layers
do not show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from reports.analysis.sums.times import Timed
from suites.stats.intervals import RISK

SCATTER: Final = 0.05
"""Root mean square of ln(time in a script / time in a session): 41 pairs of implementation and
problem in four scripts of suites.calibrate.savings, one thread, AMD EPYC with 2 cores."""
PAIRS: Final = 41
OF_SAVING, OF_TIME = 0.2, 0.05
"""95 % half-width of a saving that was measured in layers, as a part of itself and of the time
of what changes."""


def half_width(timed: Sequence[Timed]) -> float:
    """The 95 % half-width of that logarithm, for one implementation and problem.

    Root mean square over the recorded cases, by their time; at least SCATTER, since a few cases may
    be alike by chance.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.8 s to import

    return float(stdtrit(PAIRS, 1 - RISK / 2)) * max(SCATTER, _recorded(timed))


def in_layer_ms(timed: Sequence[Timed], took_ms: float, saved_ms: float) -> float:
    """The 95 % half-width of a saving that was measured with a layer, milliseconds of a step.

    took_ms   the time of the cases that change, before
    saved_ms  what they save

    Where the recorded calls differ more from the measured ones, so may the saving.
    """
    part = max(OF_SAVING, _recorded(timed))
    return math.hypot(part * saved_ms, OF_TIME * took_ms)


def _recorded(timed: Sequence[Timed]) -> float:
    weights, squares = [], []
    for each in timed:
        own = each.ms.get(each.current)
        if each.case.took_ms and own is not None and np.isfinite(own).any():
            measured = float(np.exp(np.nanmean(np.log(own))))
            weights.append(each.case.count * each.case.took_ms)
            squares.append(math.log(each.case.took_ms / measured) ** 2)
    return math.sqrt(np.average(squares, weights=weights)) if weights else 0.0

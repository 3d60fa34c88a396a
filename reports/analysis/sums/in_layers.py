"""The time by which an implementation exceeds the current one, inside layers of dense work.

Large intermediate results slow the layers after a call, which the time of the call does not show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from reports.analysis.sums.interpolation import Array
from suites.records.record import Record
from suites.stats.pairing import share_rounds

ByName = Mapping[str, Sequence[Record]]


def differences(found: ByName, current: str, sessions: Sequence[int]) -> dict[str, Array]:
    """Milliseconds of a call over those of the current one, by name; one for each session.

    NaN in a session without both. Names without any such session are left out.
    """
    base = {record.session: record for record in found.get(current, ())}
    made = {}
    for name, records in found.items():
        own = {r.session: _difference(r, base[r.session]) for r in records if r.session in base}
        values = np.array([own.get(each, np.nan) for each in sessions])
        if np.isfinite(values).any():
            made[name] = values
    return made


def _difference(record: Record, base: Record) -> float:
    """The median over the rounds that both share; NaN without them."""
    if not (record.in_layer_ms and base.in_layer_ms and share_rounds(base, record)):
        return np.nan
    return median(record.in_layer_ms[each] - base.in_layer_ms[each] for each in record.rounds)


def medians(records: Sequence[Record], sessions: Sequence[int]) -> Array | None:
    """Milliseconds of a call with the layer, one for each session; None without any."""
    own = {r.session: median(r.in_layer_ms[i] for i in r.rounds) for r in records if r.in_layer_ms}
    return np.array([own.get(each, np.nan) for each in sessions]) if own else None

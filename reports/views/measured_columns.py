"""The columns of the table of measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reports.rows.measurements import Measurement
from reports.views.kernels import described, flagged
from reports.views.launches import HOST_BOUND
from reports.views.numbers import (
    NOT_SEEN,
    attainable,
    mebibytes,
    milliseconds,
    number,
    share,
    spread,
)
from reports.views.sections import Value
from reports.views.values import NOT_RECORDED, figure, whole


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of measurements.

    name    in downloads, with the unit of the numbers that its cells are sorted by
    figure  of an optional column, which is shown where some row has it; None: always shown
    """

    head: str
    name: str
    value: Callable[[Measurement], Value]
    figure: Callable[[Measurement], float | None] | None = None


def _spread(row: Measurement) -> Value:
    between = spread(row.low_ms, row.high_ms) if row.sessions > 1 else "one session"
    return figure(row.high_ms - row.low_ms, between)


def _peak(row: Measurement) -> Value:
    absent = NOT_SEEN if row.unseen else NOT_RECORDED
    return figure(row.peak_bytes, mebibytes(row.peak_bytes), absent)


def _attainable(row: Measurement) -> Value:
    rate = attainable(row.share_of_attainable, checked_again=row.checked_again)
    return figure(row.share_of_attainable, rate)


def _median(row: Measurement) -> Value:
    return figure(row.median_ms, flagged(milliseconds(row.median_ms), row.fallback))


def _per_token(row: Measurement) -> float | None:
    """The figure where it says more than the time of a call: with a cache of keys and values."""
    return row.us_per_token if row.problem.has_older_tokens else None


def _clock(row: Measurement) -> Value:
    clock = row.clock or NOT_RECORDED
    named = f"{clock}, {HOST_BOUND}" if row.host_bound else clock
    return Value("; ".join(filter(None, (named, row.notes))))


def _of(
    value: Callable[[Measurement], float | None],
    text: Callable[[float | None], str],
    absent: str = NOT_RECORDED,
) -> Callable[[Measurement], Value]:
    return lambda row: figure(value(row), text(value(row)), absent)


def _optional(head: str, name: str, value: Callable[[Measurement], float | None]) -> Column:
    return Column(head, name, _of(value, number, "none"), value)


def _error(head: str, name: str, value: Callable[[Measurement], float | None]) -> Column:
    """An optional column of a relative error."""
    return Column(head, name, _of(value, lambda error: f"{error:.2g}", "none"), value)


THREADS: Final = Column("threads", "threads", lambda row: whole(row.threads))
COLUMNS: Final = (
    Column("median ms", "median_ms", _median),
    Column("spread ms", "spread_width_ms", _spread),
    Column("us per token", "us_per_token", _of(lambda row: row.us_per_token, number), _per_token),
    Column("peak MiB", "peak_bytes", _peak),
    Column("kernel", "kernels", lambda row: Value(described(row))),
    Column("share of attainable", "share_of_attainable", _attainable),
    Column("share of the gate", "share_of_bound", _of(lambda row: row.evidence.share, share)),
    _error("error on your inputs", "own_error", lambda row: row.evidence.own_error),
    Column("sessions", "sessions", lambda row: whole(row.sessions)),
    Column("samples", "samples", lambda row: whole(row.samples)),
    Column("disturbed", "disturbed", lambda row: whole(row.disturbed)),
    Column("first call ms", "first_call_ms", _of(lambda row: row.first_call_ms, milliseconds)),
    _optional("prepare ms", "prepare_ms", lambda row: row.prepare_ms),
    _optional("compilations", "compilations", lambda row: row.compilations),
    _optional("compile ms", "compile_ms", lambda row: row.compile_ms),
    Column("page faults per call", "page_faults", _of(lambda row: row.page_faults, number)),
    Column("resident MiB", "resident_bytes", _of(lambda row: row.resident_bytes, mebibytes)),
    _optional("host ms", "host_ms", lambda row: row.host_ms),
    _optional("mJ per call", "energy_mj", lambda row: row.energy_mj),
    Column("clock", "clock", _clock),
)
"""The columns after the problem and the implementation, in the order of their importance."""

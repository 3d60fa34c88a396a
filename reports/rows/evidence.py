"""The worst agreement that any session found of one answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.rows.panels import APPROXIMATIONS
from suites.records.record import Record, TensorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How an answer compares with the reference; None: not compared.

    share           the largest part used of what the gate allows; None for approximations, which
                    the gate does not judge
    relative_error  RMS(error) / RMS(reference) of the output on random inputs, the largest
    own_error       the same on the user's own inputs; None without any
    rows_checked    query rows that were compared; None: all
    readout         whether the mask, read out, is the one of the problem
    worst_row       RMS(error) / RMS(reference) of the worst row of any tensor
    cosine          the smallest cosine between a tensor and its reference
    slope           in half precision: relative error of the scale, the largest
    repeatable      whether a second call on the same inputs gave the same bits
    hard_inputs     hard inputs of small sizes with a correct output
    """

    share: float | None = None
    relative_error: float | None = None
    own_error: float | None = None
    rows_checked: int | None = None
    readout: bool | None = None
    worst_row: float | None = None
    cosine: float | None = None
    slope: float | None = None
    repeatable: bool | None = None
    hard_inputs: int | None = None


def evidence(found: Sequence[Record], panel: str) -> Evidence:
    """The evidence of all records of one problem and implementation."""
    seen = [record.agreement for record in found if record.agreement is not None]
    shares = [each.share for each in seen if each.share is not None]
    readouts = [each.readout for each in seen if each.readout is not None]
    tensors = [error for each in seen for error in each.tensors]
    own = [error for each in seen for of_file in each.on_inputs for error in of_file.tensors]
    repeats = [each.repeatable for each in seen if each.repeatable is not None]
    return Evidence(
        share=None if panel == APPROXIMATIONS else max(shares, default=None),
        relative_error=_of_output(tensors),
        own_error=_of_output(own),
        rows_checked=seen[0].rows_checked if seen else None,
        readout=all(readouts) if readouts else None,
        worst_row=max(_numbers(error.worst_row for error in tensors), default=None),
        cosine=min(_numbers(error.cosine for error in tensors), default=None),
        slope=max(_numbers(each.slope for each in seen), key=abs, default=None),
        repeatable=all(repeats) if repeats else None,
        hard_inputs=max((each.hard_inputs for each in seen), default=None),
    )


def _of_output(errors: Iterable[TensorError]) -> float | None:
    """The largest relative RMS error of an output."""
    return max((each.relative_rms for each in errors if each.tensor == "out"), default=None)


def _numbers(values: Iterable[float | None]) -> list[float]:
    """The values that are neither None nor NaN."""
    return [value for value in values if value is not None and not math.isnan(value)]

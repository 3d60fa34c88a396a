"""The error of each answer on the user's own inputs, beside that on random ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from impls.interface import Problem
from suites.records.record import Agreement, Record, TensorError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInputs:
    """One tensor of one implementation on one file of inputs; None: not compared.

    file          the name of the inputs' file
    tensor        out, dq, dk or dv
    error         RMS(error) / RMS(reference) on these inputs
    random_error  the same on random inputs of the same problem
    worst_row     the largest RMS(error) / RMS(reference) of any row on these inputs
    random_worst_row  the same on random inputs
    share         part used of what the gate allows, on these inputs
    random_share  the same on random inputs
    """

    problem: Problem
    implementation: str
    file: str
    tensor: str
    error: float
    random_error: float | None
    worst_row: float | None
    random_worst_row: float | None
    share: float
    random_share: float | None


COLUMNS = tuple(OwnInputs.__dataclass_fields__)


def own_inputs(records: Iterable[Record]) -> list[OwnInputs]:
    """A row for each tensor, file, problem and implementation of these records."""
    return [
        row
        for record in records
        if record.agreement is not None
        for row in _rows(record, record.agreement)
    ]


def _rows(record: Record, found: Agreement) -> Iterator[OwnInputs]:
    random = {each.tensor: each for each in found.tensors}
    for own in found.on_inputs:
        for each in own.tensors:
            other = random.get(each.tensor)
            yield OwnInputs(
                problem=record.problem,
                implementation=record.implementation,
                file=own.file,
                tensor=each.tensor,
                error=each.relative_rms,
                random_error=None if other is None else other.relative_rms,
                worst_row=each.worst_row,
                random_worst_row=None if other is None else other.worst_row,
                share=_share(each),
                random_share=None if other is None else _share(other),
            )


def _share(error: TensorError) -> float:
    return Agreement(tensors=(error,)).share or 0.0

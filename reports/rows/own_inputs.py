"""The error of each answer on the user's own inputs, beside that on random ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from impls.interface import Problem
from reports.rows.panels import APPROXIMATIONS
from suites.records.record import Agreement, Record, TensorError
from suites.records.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInputs:
    """One tensor of one implementation on one file of inputs; None: not compared.

    file          the name of the inputs' file
    tensor        out, dq, dk or dv
    error         RMS(error) / RMS(reference) on these inputs
    random_error  the same on random inputs of the same problem
    worst_row     the largest RMS(error) / RMS(reference) of any row on these inputs
    random_worst_row  the same on random inputs
    share         part used of what the gate allows, on these inputs; None for approximations
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
    share: float | None
    random_share: float | None


COLUMNS = tuple(OwnInputs.__dataclass_fields__)


def own_inputs(run: Run, records: Iterable[Record]) -> list[OwnInputs]:
    """A row for each tensor, file, problem and implementation of a run's records."""
    judged = {each.name: not each.panel.startswith(APPROXIMATIONS) for each in run.plan.entries}
    return [
        row
        for record in records
        if record.agreement is not None
        for row in _rows(record, record.agreement, judged=judged.get(record.implementation, False))
    ]


def _rows(record: Record, found: Agreement, *, judged: bool) -> Iterator[OwnInputs]:
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
                share=_share(each) if judged else None,
                random_share=_share(other) if judged and other is not None else None,
            )


def _share(error: TensorError) -> float | None:
    return Agreement(tensors=(error,)).share

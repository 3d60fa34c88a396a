"""The result is right with one thread and with several, on a CPU."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial

import torch

from suites.agreement.attempts import Raised, attempt
from suites.agreement.probes.interleaved_calls import fault_unless_equal
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within this, torch computes with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _other_count() -> int:
    """One thread; all CPUs where the process computes with one thread."""
    return 1 if torch.get_num_threads() > 1 else os.cpu_count() or 1


def _applies(trial: Trial) -> bool:
    small = trial.case.is_plain_small and trial.problem.device == "cpu"
    return small and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    count = _other_count()
    with threads(count):
        made = attempt(partial(trial.again, copies(trial.case.inputs)))
    if isinstance(made, Raised):
        return ""
    fault = fault_unless_equal(trial, made)
    noun = "thread" if count == 1 else "threads"
    return f"with {count} {noun}, {fault}" if fault else ""


PROBE = Probe(order=139, applies=_applies, find=_find, other_forms=True)

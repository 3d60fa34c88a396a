"""Probes and causes on a device: each finds there what it finds on a CPU."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest

from impls.interface import Implementation
from suites.agreement.probes import all_probes
from suites.measure import timing
from tests.agreement import rejecting, slips
from tests.agreement.impostors import Rejection
from tests.agreement.slips.tracing import Traced
from tests.stand_in.runtime import Runtime

ON_CPU_ONLY = ("thread_counts", "read_only_inputs")
"""Probes of the CPU alone."""
WITHOUT_FAULTS = ("repeatability", "equal_repeats", "batch_independence")
"""Probes that find no fault."""
ELSEWHERE = ("unsampled_rows",)
"""Needs a large problem: test_implementations.py."""
WITH_CPU_TENSORS = re.compile("lined_up|documents_see|key|sparse|without_numbers|slopes|threads")
"""Names of impostors that make a tensor without a device, or that are of the CPU alone."""
FOUND_BY = {
    cell.by: (implementation, cell)
    for implementation, cell in reversed(rejecting.cells())
    if cell.by not in ON_CPU_ONLY and not WITH_CPU_TENSORS.search(str(implementation))
}
"""A wrong implementation for each probe."""
FIRST = [
    getattr(import_module(f"{slips.__name__}.{each.name}"), "CASES", (None,))[0]
    for each in iter_modules(slips.__path__)
]
CAUSES = [case for case in FIRST if isinstance(case, Traced)]
"""A wrong implementation for each kind of cause: the first one of its file."""


def test_every_probe_of_a_device_is_covered() -> None:
    others = {*ON_CPU_ONLY, *WITHOUT_FAULTS, *ELSEWHERE}
    assert set(FOUND_BY) - {""} == set(all_probes()) - others


@pytest.mark.parametrize(("implementation", "cell"), FOUND_BY.values(), ids=str)
def test_a_probe_finds_its_fault_on_a_device(
    cuda: Runtime, implementation: Implementation, cell: Rejection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUICK_MS", float("inf"))  # however busy the machine is
    on_device = Rejection(f"{cell.problem} cuda", cell.because, cell.by, cell.on, cell.after)
    checker = rejecting.probe_alone(on_device)
    assert re.search(cell.because, rejecting.verdict(checker, implementation))


@pytest.mark.parametrize("case", CAUSES, ids=str)
def test_a_cause_is_named_on_a_device(cuda: Runtime, case: Traced) -> None:
    on_device = Traced(
        case.implementation, f"{case.problem} cuda", case.slip, case.sentence, case.cure
    )
    on_device.holds()

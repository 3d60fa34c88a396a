"""Kernels of a GPU among a call's events: each below the operator that launched it.

An operator and the kernels that it launched share a number, as torch joins them in
torch/autograd/profiler.py, `_parse_kineto_results`. This never ran on a GPU; its tests make events
by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch._C._autograd import DeviceType

from suites.measure.kernels import short
from suites.measure.profiler.events import Event


def add_kernels(root: Event, found: Iterable[Any]) -> None:
    """Add the kernels among torch's events; those of no operator are added to the call itself."""
    launched_by = {
        each.correlation: each
        for each in root.walk()
        if each.kind == "operator" and each.correlation > 0
    }
    kernels = (each for each in found if each.device_type() != DeviceType.CPU)
    for each in sorted(kernels, key=lambda event: event.start_ns()):
        if each.is_user_annotation() or each.start_ns() < root.start_ns:
            continue
        launched_by.get(each.linked_correlation_id(), root).within.append(
            Event(
                kind="kernel",
                name=short(each.name())[0],
                start_ns=each.start_ns(),
                end_ns=each.start_ns() + each.duration_ns(),
            )
        )

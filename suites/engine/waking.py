"""The start of CUDA in a session, before any implementation is at work in it.

CUDA takes seconds to start and keeps up to 3 GiB of host memory. Both would count for the first
implementation. Its threads inherit the CPUs of the thread that starts it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import torch

from suites.engine.protocol import (
    Check,
    ChooseReadings,
    ListImplementations,
    Measure,
    ReadInstruments,
    ReadWeights,
    Survey,
    TakeProfile,
    Task,
    Train,
)
from suites.measure.affinity import launching

SIDE = 64
"""Rows and columns of the product that loads cuBLAS."""


@contextlib.contextmanager
def devices_of(task: Task) -> Iterator[None]:
    """Within this, the devices of a task are ready, and the main thread has its CPUs.

    For CPU problems the main thread stays bound to its own CPU. It launches kernels of a GPU from
    any CPU. It also describes the machine on any CPU, because that may start CUDA.
    """
    if "cuda" in {device.partition(":")[0] for device in _names(task)}:
        _start_cuda()
    unbound = _is_on_cuda(task) or isinstance(task, ListImplementations)
    with launching() if unbound else contextlib.nullcontext():
        yield


def _names(task: Task) -> tuple[str, ...]:
    """The devices that a task uses."""
    if isinstance(task, Check | Measure | TakeProfile | Train | ReadWeights):
        return (task.problem.device,)
    if isinstance(task, Survey):
        return task.devices
    if isinstance(task, ChooseReadings):
        return tuple(problem.device for problem in task.problems)
    return (task.device,) if isinstance(task, ReadInstruments) else ()


def _is_on_cuda(task: Task) -> bool:
    """Whether all of its work is on an NVIDIA device."""
    names = _names(task)
    return bool(names) and all(name.partition(":")[0] == "cuda" for name in names)


@functools.cache
def _start_cuda() -> None:
    """Start CUDA, cuBLAS and autograd's thread of the device, by one backward pass."""
    with launching():
        square = torch.ones(SIDE, SIDE, device="cuda", requires_grad=True)
        (square @ square).sum().backward()  # type: ignore[no-untyped-call] # torch's
        torch.cuda.synchronize()

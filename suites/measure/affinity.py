"""CPUs that a thread may run on while something prepares, and while it launches GPU kernels.

OpenMP binds the main thread to one CPU, and threads of other libraries inherit that. ONNX Runtime
took 1.22 times as long as SDPA with its session made on one CPU, and 0.73 times as long with the
session made and first called on all CPUs; JAX took 4.6 and 2.3 times as long.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


@contextmanager
def on_all_cpus() -> Iterator[None]:
    """Within this, the thread may run on the CPUs of all OpenMP threads; then as before.

    Threads of OpenMP stay where they are: each is bound to a place of its own.
    """
    with _on(openmp_cpus()):
        yield


@contextmanager
def launching() -> Iterator[None]:
    """Within this, the thread may run on every CPU that OpenMP found; then as before.

    For kernels of a GPU: CUDA's threads and autograd's thread of the device inherit these CPUs.
    Bound to the one CPU of the main thread, they would take turns with it.
    """
    with _on(frozenset[int]().union(*_places())):
        yield


@contextmanager
def _on(cpus: frozenset[int]) -> Iterator[None]:
    """Within this, the thread may run on these CPUs as well."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before | cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def unbound() -> str:
    """Why the threads of this process are not bound to CPUs; empty when they are."""
    if not hasattr(os, "sched_getaffinity"):
        return "this system binds no threads to CPUs"
    places = _places()
    if not places:
        return "the OpenMP library of its torch does not say where its threads run"
    if os.sched_getaffinity(0) != places[0]:
        return "its threads are not bound to CPUs"
    return ""


def every_place() -> tuple[frozenset[int], ...]:
    """The CPUs of every place that OpenMP found, in order; empty where it says nothing."""
    return _places()


def openmp_cpus() -> frozenset[int]:
    """The CPUs that OpenMP binds its threads to; empty where it binds none."""
    return frozenset[int]().union(*_places()[: torch.get_num_threads()])


@functools.cache
def _places() -> tuple[frozenset[int], ...]:
    """The places of OpenMP's threads, in order: thread number i is bound to the i-th."""
    folder = Path(torch.__file__).parent / "lib"
    library = next(folder.glob("libgomp*"), None)
    if library is None or not hasattr(os, "sched_setaffinity"):
        return ()
    openmp = ctypes.CDLL(str(library))
    return tuple(_cpus_of(openmp, place) for place in range(openmp.omp_get_num_places()))


def _cpus_of(openmp: ctypes.CDLL, place: int) -> frozenset[int]:
    numbers = (ctypes.c_int * openmp.omp_get_place_num_procs(place))()
    openmp.omp_get_place_proc_ids(place, numbers)
    return frozenset(numbers)

"""The CPUs that the sessions of one pytest-xdist worker are bound to."""

from __future__ import annotations

from collections.abc import Sequence


def places(worker: str, cpus: Sequence[int]) -> str:
    """OMP_PLACES for a worker: every CPU is one place, and each worker starts at another CPU.

    A session with one thread takes the first place. Without this all sessions of all workers
    would share the first CPU. A session with more threads still has all CPUs.

    worker  the name that xdist gives a worker: gw0, gw1, ...
    cpus    the CPUs that the tests may use, in order
    """
    first = int(worker.removeprefix("gw")) % len(cpus)
    return ",".join(f"{{{cpu}}}" for cpu in (*cpus[first:], *cpus[:first]))

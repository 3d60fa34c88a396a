"""The program of a job on a node of a cluster.

Started as `python -P -m suites.on_node PART`: reads a job from its standard input and writes news
to its standard output. PART is INDEX/COUNT, the part of the CPUs that it uses; empty: all.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

CLEANING_S: Final = 60.0
"""Seconds that the processes of a job get to end after their driver has gone."""
Send = Callable[[Any], None]


def main() -> None:
    """Carry out one job; an empty frame says that it is done."""
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from suites.engine.cluster.jobs import Job, decoded, encoded  # noqa: PLC0415 - after the fork
    from suites.engine.cluster.process import read, write  # noqa: PLC0415 - likewise

    news = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no news
    job = decoded(read(sys.stdin.buffer))
    if not isinstance(job, Job):
        raise TypeError(f"a job is {type(job).__name__}")
    _use_part(sys.argv[1] if sys.argv[1:] else "")
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    with TemporaryDirectory(prefix="attnbench-job-", ignore_cleanup_errors=True) as folder:
        _do(job, Path(folder).resolve(), lambda value: write(news, encoded(value)))
    write(news, b"")


def _use_part(part: str) -> None:
    """Keep this process, and those it starts, on a part of the CPUs."""
    if not part or not hasattr(os, "sched_setaffinity"):
        return
    index, count = map(int, part.split("/"))
    cpus = sorted(os.sched_getaffinity(0))
    size = len(cpus) // count
    if size:
        os.sched_setaffinity(0, cpus[index * size : (index + 1) * size])


def _end_with(leash: IO[bytes]) -> None:
    """End this process when its standard input ends: the task of Ray is over, or its node."""
    leash.read()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(CLEANING_S)
    os._exit(1)


def _do(job: Any, folder: Path, send: Send) -> None:
    """Do the work of a job, or send why it makes no sense here."""
    from suites.engine.cluster.jobs import MakePlan, Refused  # noqa: PLC0415 - after the fork
    from suites.engine.cluster.luggage import unpack  # noqa: PLC0415 - likewise

    unpack(job.files, folder)
    os.chdir(folder)  # the request names its files relative to it
    try:
        (_make_plan if isinstance(job.work, MakePlan) else _do_session)(job, folder, send)
    except ValueError as error:
        send(Refused(reason=" ".join(str(error).split())))


def _make_plan(job: Any, folder: Path, send: Send) -> None:
    from suites.conducting import callable_plan, unstarted_pool  # noqa: PLC0415 - after the fork
    from suites.engine.cluster.jobs import Planned  # noqa: PLC0415 - likewise
    from suites.engine.cluster.locks import measuring  # noqa: PLC0415 - likewise
    from suites.engine.cluster.luggage import returned  # noqa: PLC0415 - likewise

    with measuring({"cpu"}), unstarted_pool(job.work.request) as pool:
        plan, machine = callable_plan(job.work.request, pool)
    send(Planned(plan=returned(plan, folder), machine=machine))


def _do_session(job: Any, folder: Path, send: Send) -> None:
    from suites.conducting import pool_of  # noqa: PLC0415 - after the fork
    from suites.engine.cluster.carrying_out import carry_out, expect_same  # noqa: PLC0415 - likewise
    from suites.engine.cluster.locks import measuring  # noqa: PLC0415 - likewise
    from suites.engine.cluster.luggage import arrived  # noqa: PLC0415 - likewise

    plan = arrived(job.work.run.plan, job.files, folder)
    with measuring({problem.device for problem in plan.problems}), pool_of(plan) as pool:
        if job.work.verifies:
            expect_same(job.work.run)
        carry_out(job.work, plan, pool, send)


if __name__ == "__main__":
    main()

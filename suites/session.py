"""The program of a session: a fresh process that takes tasks from one pipe and writes to another.

Started as `python -P -m suites.session TASKS MESSAGES TURN`, with the descriptors of two pipes and
of shared memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import mmap
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from suites.engine.messages import Answered
from suites.engine.pipe import TURN_BYTES, Sender, decoded
from suites.engine.protocol import (
    Calibrate,
    Check,
    ChooseReadings,
    DescribeInputs,
    ImportLibraries,
    ListImplementations,
    Measure,
    ReadInstruments,
    ReadWeights,
    Survey,
    TakeProfile,
    Task,
    Train,
    Wait,
)

Work = Callable[[Any, Sender], None]


def main() -> None:
    """Do tasks until the pipe closes."""
    tasks, messages, turn = (int(word) for word in sys.argv[1:4])
    for descriptor in (tasks, messages, turn):
        os.set_inheritable(descriptor, False)
    _prefer_for_the_oom_killer()
    _raise_descriptor_limit()
    sender = Sender(messages, mmap.mmap(turn, TURN_BYTES))
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)  # importing makes much and leaves little to collect
    with _on_any_cpu():
        work = _work()
        from suites.engine import waking  # noqa: PLC0415 - torch, once the pipe is open
        from suites.measure import precision  # noqa: PLC0415 - likewise

    precision.settle()
    gc.set_threshold(*usual)
    gc.freeze()  # imported objects need not be searched before every round
    with os.fdopen(tasks) as lines:
        for line in lines:
            task = decoded(line)
            with waking.devices_of(task):
                work[type(task)](task, sender)
            sender.send(Answered())


def _work() -> dict[type[Task], Work]:
    """The function that does each kind of task."""
    from suites.calibrate import arms  # noqa: PLC0415 - torch, once the pipe is open
    from suites.engine import (  # noqa: PLC0415 - likewise
        check,
        describe,
        following_bench,
        lessons,
        model_check,
        profiles,
        readings,
        timed_rounds,
        weights,
    )

    def measure(task: Measure, sender: Sender) -> None:
        """Lead the rounds of a problem, or follow."""
        leads = task.role == "leads"
        (timed_rounds.measure if leads else following_bench.follow)(task, sender)

    def check_(task: Check, sender: Sender) -> None:
        """Check an attention call, or a model around it."""
        (model_check if task.problem.model else check).check(task, sender)

    return {
        Wait: lambda _, __: None,
        ListImplementations: describe.list_implementations,
        ImportLibraries: describe.import_libraries,
        ChooseReadings: readings.choose_readings,
        DescribeInputs: describe.describe_inputs,
        Survey: describe.survey,
        Check: check_,
        Measure: measure,
        TakeProfile: profiles.take_profile,
        Train: lessons.train,
        ReadWeights: weights.read_weights,
        Calibrate: arms.calibrate,
        ReadInstruments: arms.read_instruments,
    }


@contextlib.contextmanager
def _on_any_cpu() -> Iterator[None]:
    """Import torch on any CPU; afterwards this thread is bound as its OpenMP runtime bound it.

    The runtime binds the thread that loads it to the first CPU, and processes that import at the
    same time would share that CPU.
    """
    torch = importlib.util.find_spec("torch")
    folder = Path(torch.origin).parent / "lib" if torch and torch.origin else Path()
    library = next(folder.glob("libgomp*"), None)
    if library is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    anywhere = os.sched_getaffinity(0)
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, anywhere)
    try:
        yield
    finally:
        os.sched_setaffinity(0, bound)


def _raise_descriptor_limit() -> None:
    """Raise RLIMIT_NOFILE, so that a descriptor leak fails no other implementation."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _prefer_for_the_oom_killer() -> None:
    """Have the kernel kill this process before the parent when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()

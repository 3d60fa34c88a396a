"""The program of a session: a fresh process that takes tasks from one pipe and answers on another.

Started as `python -P -m suites.session TASKS MESSAGES TURN`, with the descriptors of two
pipes and of what is shared.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import mmap
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from suites.engine.messages import TURN_BYTES, Sender


def main() -> None:
    """Answer tasks until the pipe closes."""
    tasks, messages, turn = (int(word) for word in sys.argv[1:4])
    for descriptor in (tasks, messages, turn):
        os.set_inheritable(descriptor, False)
    _volunteer_for_the_oom_killer()
    _open_as_many_files_as_may_be()
    sender = Sender(messages, mmap.mmap(turn, TURN_BYTES))
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)  # importing makes much and leaves little to collect
    with _on_any_cpu():
        from suites.engine.tasks import TASKS  # noqa: PLC0415 - torch, once the pipe is ours
        from suites.measure import precision  # noqa: PLC0415 - likewise

    precision.settle()
    gc.set_threshold(*usual)
    gc.freeze()  # what was imported need not be searched before every round
    with os.fdopen(tasks) as lines:
        for line in lines:
            task = json.loads(line)
            TASKS[task["task"]](task, sender)
            sender.send("answered")


@contextlib.contextmanager
def _on_any_cpu() -> Iterator[None]:
    """Import torch on any CPU; afterwards this thread is bound as its OpenMP runtime wanted.

    The runtime binds the thread that loads it to the first CPU, and processes that import at the
    same time would share that one.
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


def _open_as_many_files_as_may_be() -> None:
    """Whoever forgets to close some should not keep others from being measured."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _volunteer_for_the_oom_killer() -> None:
    """Should memory run out all the same, this process goes first, not the parent."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()

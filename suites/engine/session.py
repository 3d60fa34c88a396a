"""The program of a session: a fresh process that takes tasks from one pipe and answers on another.

Started as `python -P -m suites.engine.session TASKS MESSAGES`, with the two descriptors.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from pathlib import Path

from suites.engine.messages import Sender


def main() -> None:
    """Answer tasks until the pipe closes."""
    tasks, messages = (int(word) for word in sys.argv[1:3])
    for descriptor in (tasks, messages):
        os.set_inheritable(descriptor, False)
    _volunteer_for_the_oom_killer()
    sender = Sender(messages)
    from suites.engine.tasks import TASKS  # noqa: PLC0415 - torch, once the pipe is ours

    gc.freeze()  # what was imported need not be searched before every round
    with os.fdopen(tasks) as lines:
        for line in lines:
            task = json.loads(line)
            TASKS[task["task"]](task, sender)
            sender.send("answered")


def _volunteer_for_the_oom_killer() -> None:
    """Should memory run out all the same, this process goes first, not the parent."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()

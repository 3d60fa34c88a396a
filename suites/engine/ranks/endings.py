"""Errors that say which rank of a group died, hangs or raised an exception."""

from __future__ import annotations

import linecache
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suites.engine.local_session import PROFILER_OUTPUT
from suites.engine.pipe import one_line
from suites.engine.ranks.messages import Reply
from suites.measure.group_errors import GroupError

STACKS_S: Final = 2.0
"""Seconds in which a process writes its stack after the signal."""
OF_LIMIT: Final = "(80 % of --time-limit)"
_FRAME: Final = re.compile(r'^  File "(.+)", line (\d+) in (.+)$')
_WAITS: Final = re.compile(r"\.wait\(")
"""A line that waits for a transfer: `Work.wait` is in C++, and has no frame."""
_OF_TORCH: Final = f"{os.sep}torch{os.sep}"
_OF_DISTRIBUTED: Final = f"{_OF_TORCH}distributed{os.sep}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rank is: the innermost frame outside of torch.

    waits  whether it is in torch.distributed, or waits for a transfer
    """

    text: str
    waits: bool


def died(ended: Mapping[int, subprocess.Popen[bytes]], ranks: int, folder: Path) -> GroupError:
    """The error of ranks that ended; those that a signal killed are the cause of others' ends."""
    with suppress(subprocess.TimeoutExpired):
        for process in ended.values():
            process.wait(1.0)
    killed = [rank for rank, each in ended.items() if (each.returncode or 0) < 0]
    named = killed or list(ended)
    said = "; ".join(_of_dead(rank, ended[rank], ranks, folder) for rank in named)
    return GroupError(said, "crashed", "process_died", ended=True)


def _of_dead(rank: int, process: subprocess.Popen[bytes], ranks: int, folder: Path) -> str:
    code = process.returncode
    if code is None:
        how = "closed its connection"
    elif code < 0:
        how = f"killed by {signal.Signals(-code).name}"
    else:
        how = f"ended with status {code}"
    words = _last_line(folder / f"output{rank}")
    return f"rank {rank} of {ranks} died: {how}{f'; its last line: {words}' if words else ''}"


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        own = (x for x in reversed(lines) if not any(part in x for part in PROFILER_OUTPUT))
        return next((x for x in map(one_line, own) if x), "")
    return ""


def raised(faults: Mapping[int, Reply], ranks: int, *, ended: bool) -> GroupError:
    """The error of ranks that raised exceptions or returned other forms.

    ended  whether some rank still waits for these, so that the group has to end
    """
    texts: dict[str, list[int]] = {}
    for rank, reply in sorted(faults.items()):
        texts.setdefault(reply.fault, []).append(rank)
    said = "; ".join(f"{_named(found, ranks)}: {text}" for text, found in texts.items())
    if any(reply.memory for reply in faults.values()):
        return GroupError(said, "out_of_memory", "memory_limit", ended=ended)
    return GroupError(said, ended=ended)


def hung(late: Mapping[int, int], ranks: int, folder: Path, limit_s: float) -> GroupError:
    """The error of a call that not every rank has finished in time.

    late  the process of each of these ranks
    """
    places = {rank: _place(pid, folder / f"stack{rank}") for rank, pid in late.items()}
    busy = [rank for rank, each in places.items() if not each.waits]
    waiting = [rank for rank in places if rank not in busy]
    done = [rank for rank in range(ranks) if rank not in late]
    named = busy or waiting
    if len(waiting) == ranks:
        parts = [f"no rank of {ranks} finished within {limit_s:g} s {OF_LIMIT}: "]
    else:
        parts = [f"{_several(named)} of {ranks} did not finish within {limit_s:g} s {OF_LIMIT}: "]
    parts[0] += ", ".join(_at(rank, places[rank], alone=len(named) == 1) for rank in named)
    if busy and waiting:
        parts.append(
            f"{_several(waiting)} wait{'s' if len(waiting) == 1 else ''} for a transfer at "
            f"{places[waiting[0]].text}"
        )
    if done:
        parts.append(f"{_several(done)} finished")
    return GroupError("; ".join(parts), "timed_out", "time_limit", ended=True)


def _at(rank: int, place: Place, *, alone: bool) -> str:
    """Where a rank is, as `it is at ...` or `rank 0 waits at ...`."""
    return f"{'it' if alone else f'rank {rank}'} {'waits' if place.waits else 'is'} at {place.text}"


def _place(pid: int, stack: Path) -> Place:
    """Where a process is, by the stack that it writes on a signal."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + STACKS_S
    text = ""
    while not text.endswith("\n") and time.monotonic() < until:
        time.sleep(0.02)
        with suppress(OSError):
            text = stack.read_text(errors="replace")
    frames = [found for line in text.splitlines() if (found := _FRAME.match(line))]
    if not frames:
        return Place(f"no known place (its process is in state {_state(pid)})", waits=False)
    own = next((each for each in frames if _OF_TORCH not in each[1]), frames[0])
    line = linecache.getline(own[1], int(own[2]))
    waits = _OF_DISTRIBUTED in frames[0][1] or (own is frames[0] and bool(_WAITS.search(line)))
    return Place(f"{Path(own[1]).name}:{own[2]} in {own[3]}", waits)


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "unknown"


def _named(found: list[int], ranks: int) -> str:
    if len(found) == ranks:
        return f"all {ranks} ranks"
    return f"{_several(found)} of {ranks}"


def _several(found: list[int]) -> str:
    """`rank 1`, or `ranks 0, 2`."""
    return f"rank{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"

"""A group of processes, as its session sees it: started, ordered, watched and ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import psutil

from suites.engine.ranks import endings
from suites.engine.ranks.messages import Order, Reply
from suites.measure.group_errors import GroupError

ROOT: Final = Path(__file__).resolve().parents[3]
START_LIMIT_S: Final = 180.0
"""Seconds in which all ranks have to import torch and to join, or to import a file."""
GRACE_S: Final = 1.0
"""Seconds after the first fault of a rank in which the others may answer or end as well: the first
message is often of a rank that lost its peer."""
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder is made by mkdtemp within it
"""A file system in memory, for the tensors that are handed over."""
PREFIX: Final = "attnbench-ranks-"
"""Start of the name of a folder with shared tensors; the process id of its session follows."""


class Group:
    """Processes that compute together.

    ranks    how many
    device   cpu or cuda; rank r uses cuda:r
    threads  OpenMP threads of each rank
    cpus     of each rank
    """

    def __init__(
        self, ranks: int, device: str, threads: int, cpus: Sequence[frozenset[int]]
    ) -> None:
        place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        _delete_left(place)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
        self.ranks = ranks
        self._connections: list[Connection] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        for rank in range(ranks):
            self._start(rank, device, environment(threads, cpus[rank] if cpus else frozenset()))
        self._collect(START_LIMIT_S, START_LIMIT_S)

    def _start(self, rank: int, device: str, variables: Mapping[str, str]) -> None:
        ours, theirs = Pipe()
        words = (theirs.fileno(), rank, self.ranks, self.folder, device)
        with (self.folder / f"output{rank}").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own module under our own Python
                [sys.executable, "-P", "-m", "suites.engine.ranks.worker", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                env=dict(variables),
            )
        theirs.close()
        self._connections.append(ours)
        self._processes.append(process)

    @property
    def is_alive(self) -> bool:
        """Whether every process runs."""
        return bool(self._processes) and all(each.poll() is None for each in self._processes)

    def ask(self, order: Order, limit_s: float, stated_s: float) -> list[Reply]:
        """Have every rank carry out an order; their replies, by rank.

        limit_s   seconds until the group is ended
        stated_s  the limit that a message states

        Raises GroupError where a rank raises an exception, ends, or does not finish.
        """
        for connection in self._connections:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.send(order)
        return self._collect(limit_s, stated_s)

    def _collect(self, limit_s: float, stated_s: float) -> list[Reply]:
        replies: dict[int, Reply] = {}
        lost: set[int] = set()
        until = time.monotonic() + limit_s
        while len(replies) + len(lost) < self.ranks:
            waiting = {
                each: rank
                for rank, each in enumerate(self._connections)
                if rank not in replies and rank not in lost
            }
            ready = wait(list(waiting), max(0.0, until - time.monotonic()))
            for each in ready:
                rank = waiting[each]  # type: ignore[index] # one of those that were passed
                reply = _received(self._connections[rank])
                if reply is None:
                    lost.add(rank)
                else:
                    replies[rank] = reply
                if reply is None or reply.fault:
                    until = min(until, time.monotonic() + GRACE_S)
            if not ready:
                break
        if len(replies) == self.ranks and not any(each.fault for each in replies.values()):
            return [replies[rank] for rank in range(self.ranks)]
        raise self._error(replies, lost, stated_s)

    def _error(self, replies: Mapping[int, Reply], lost: set[int], stated_s: float) -> GroupError:
        """What went wrong, as an error; the group is ended unless every rank is ready again."""
        dead = {rank for rank, each in enumerate(self._processes) if each.poll() is not None}
        faults = {rank: each for rank, each in replies.items() if each.fault}
        if lost | dead:
            ended = {rank: self._processes[rank] for rank in sorted(lost | dead)}
            error = endings.died(ended, self.ranks, self.folder)
        elif faults:
            error = endings.raised(faults, self.ranks, ended=len(replies) < self.ranks)
        else:
            late = {r: each.pid for r, each in enumerate(self._processes) if r not in replies}
            error = endings.hung(late, self.ranks, self.folder, stated_s)
        if error.ended or len(replies) < self.ranks:
            self.end()
        return error

    def end(self) -> None:
        """Kill the processes and delete their folder."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
        for process in self._processes:
            process.wait()
        for connection in self._connections:
            connection.close()
        self._processes, self._connections = [], []
        shutil.rmtree(self.folder, ignore_errors=True)


def _delete_left(place: Path) -> None:
    """Delete folders of sessions that were killed: their tensors take memory."""
    for each in place.glob(f"{PREFIX}*-*"):
        pid = each.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(each, ignore_errors=True)


def _received(connection: Connection) -> Reply | None:
    """The reply of a rank; None where its process has ended, or wrote something else."""
    try:
        found: Any = connection.recv()
    except (EOFError, OSError, ValueError):
        return None
    return found if isinstance(found, Reply) else None


def environment(threads: int, cpus: frozenset[int]) -> dict[str, str]:
    """The environment of a rank: this program found first, OpenMP threads bound to CPUs of its own.

    cpus  of the rank; empty: not known, and threads are not bound
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    places = ",".join(f"{{{cpu}}}" for cpu in sorted(cpus))
    bound = {"OMP_PROC_BIND": "true", "OMP_PLACES": places} if cpus else {"OMP_PROC_BIND": "false"}
    own = {name: value for name, value in os.environ.items() if name != "OMP_PLACES"}
    return {
        **own,
        **bound,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "GLOO_SOCKET_IFNAME": "lo",
    }

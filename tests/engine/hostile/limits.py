"""Implementations that hang, take all memory, garble the pipes or leave threads and processes.

Each returns correct outputs when it returns.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import torch
from torch import Tensor

from tests.engine.hostile.honest import right

_calls: dict[str, int] = {}
_pool: list[ThreadPoolExecutor] = []


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def loops(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    while True:
        pass


def loops_and_ignores_signals(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def allocates_too_much(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.ones(1 << 40, dtype=torch.uint8).view(q.shape)


def allocates_in_small_steps(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    eaten: list[Any] = []
    while True:
        eaten.append(bytearray(1 << 20))


def closes_every_descriptor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.closerange(0, 256)
    return right(q, k, v)


def writes_half_a_message(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Writes half a line to the engine's message pipe and exits."""
    os.write(int(sys.argv[2]), b'{"kind": "record", "rec')
    os._exit(0)


def writes_over_the_pipe(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.write(int(sys.argv[2]), b"hello\n")
    time.sleep(30)
    return right(q, k, v)


def floods_its_output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    for _ in range(20):
        os.write(1, b"x" * 10_000 + b"\n")
        os.write(2, b"y" * 10_000 + b"\n")
    return right(q, k, v)


def _work() -> NoReturn:
    while True:
        pass


def leaves_a_thread_running(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_thread_running", 0):
        threading.Thread(target=_work, daemon=True).start()
    _calls["leaves_a_thread_running"] += 1
    return right(q, k, v)


def leaves_orphans(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Each call leaves a process behind that holds the pipes."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return right(q, k, v)


def returns_twice(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The first call also returns in a child process, 3 s later."""
    if _calls.setdefault("returns_twice", 0) == 0 and os.fork() == 0:
        time.sleep(3)
    _calls["returns_twice"] += 1
    return right(q, k, v)


def leaves_a_program_running(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_program_running", 0):
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
    _calls["leaves_a_program_running"] += 1
    return right(q, k, v)


def works_in_a_pool(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Its threads wait for the next call."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(2))
    return _pool[0].submit(right, q, k, v).result()


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)

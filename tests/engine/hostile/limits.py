"""Implementations that hang, take all memory, flood the output or garble the pipes.

Each returns correct outputs when it returns.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import torch
from torch import Tensor

from tests.engine.hostile.honest import right


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


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)

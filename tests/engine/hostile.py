"""Implementations that do their worst; each answers rightly unless its docstring says otherwise."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_calls: dict[str, int] = {}
CHECK_CALLS = 2  # one on random inputs, one to read the mask out (four heads)


def _right(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v)


def _in_a_timed_session(name: str) -> bool:
    """Whether this process has gone on after what a check calls: the second call of set-up on."""
    _calls[name] = _calls.get(name, 0) + 1
    return _calls[name] > CHECK_CALLS


def raises(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise RuntimeError("no such luck")


def raises_system_exit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise SystemExit(0)


def raises_keyboard_interrupt(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise KeyboardInterrupt


def raises_when_timed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_timed_session("raises_when_timed"):
        raise RuntimeError("only in the rounds")
    return _right(q, k, v)


def exits_quietly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os._exit(0)


def exits_when_timed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_timed_session("exits_when_timed"):
        os._exit(0)
    return _right(q, k, v)


def segfaults(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    ctypes.string_at(0)
    return _right(q, k, v)


def aborts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.abort()


def loops(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    while True:
        pass


def loops_deaf_to_signals(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def recurses(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return recurses(q, k, v)


def eats_memory(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.ones(1 << 40, dtype=torch.uint8).view(q.shape)


def eats_memory_in_small_bites(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    eaten: list[Any] = []
    while True:
        eaten.append(bytearray(1 << 20))


def returns_nothing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return None  # type: ignore[return-value] # the fault under test


def returns_a_tuple(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q, k)  # type: ignore[return-value] # the fault under test


def closes_descriptors(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.closerange(0, 256)
    return _right(q, k, v)


def writes_half_a_message(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Finds the engine's own pipe, writes half a line to it and leaves."""
    os.write(int(sys.argv[2]), b'{"kind": "record", "rec')
    os._exit(0)


def writes_over_the_pipe(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.write(int(sys.argv[2]), b"hello\n")
    time.sleep(30)
    return _right(q, k, v)


def leaves_orphans(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right, but each call leaves a process behind that holds the pipes."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return _right(q, k, v)


def floods_its_output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right, but talkative."""
    for _ in range(200):
        os.write(1, b"x" * 10_000 + b"\n")
        os.write(2, b"y" * 10_000 + b"\n")
    return _right(q, k, v)


def honest(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v)

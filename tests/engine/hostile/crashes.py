"""Implementations that raise, exit or crash.

Each returns correct outputs when it returns.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

import torch
from torch import Tensor

from tests.engine.hostile.honest import in_a_sample, right

_ending: list[threading.Thread] = []
_sampled = threading.Event()


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


class _Odd(BaseException):
    pass


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _LoudError(Exception):
    def __str__(self) -> str:
        return "\x1b[31mred\x1b[0m\n" * (100 << 20 >> 4) + "\ud800"


def raises(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise RuntimeError("no such luck")


def raises_system_exit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise SystemExit(0)


def raises_keyboard_interrupt(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise KeyboardInterrupt


def raises_a_base_exception(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _Odd("base")


def raises_without_a_message(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _MuteError


def raises_a_hundred_megabytes(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _LoudError


def raises_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if in_a_sample():
        raise RuntimeError("only in the rounds")
    return right(q, k, v)


def raises_and_changes_the_threads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_num_threads(3)
    raise RuntimeError("no such luck")


def recurses(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return recurses(q, k, v)


def exits_quietly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os._exit(0)


def exits_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if in_a_sample():
        os._exit(0)
    return right(q, k, v)


def _exit_after_a_sample() -> None:
    _sampled.wait()
    time.sleep(0.001)
    os._exit(3)


def exits_in_another_turn(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A waiting thread ends the process once its first sample is taken, mostly in the next turn."""
    if not _ending:
        _ending.append(threading.Thread(target=_exit_after_a_sample, daemon=True))
        _ending[0].start()
    if in_a_sample():
        _sampled.set()
    return right(q, k, v)


def segfaults(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    ctypes.string_at(0)
    return right(q, k, v)


def aborts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.abort()


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)

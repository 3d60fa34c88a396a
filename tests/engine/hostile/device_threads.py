"""An implementation that reports the CPUs of its threads in the rounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.engine.hostile.honest import in_a_sample, right

_backward: dict[str, set[int]] = {"cpu": set(), "cuda": set()}
"""Threads of the operating system that ran a backward pass, by device."""


class _NotesThread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.device = x.device.type  # in the other thread the stand-in is no "cuda"
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        _backward[ctx.device].add(int(Path("/proc/thread-self").readlink().name))
        return grads[0]


def reports_cpus(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Raises in the rounds: the number of CPUs of the main thread, and of each backward thread."""
    if in_a_sample():
        other = _backward[q.device.type] - {os.getpid()}
        others = sorted(len(os.sched_getaffinity(tid)) for tid in other)
        raise RuntimeError(f"main {len(os.sched_getaffinity(0))}, autograd {others}")
    made: Tensor = _NotesThread.apply(right(q, k, v))  # type: ignore[no-untyped-call] # torch's
    return made

"""Peak memory of one rank's call, and the bytes that it sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

from torch import Tensor

from impls.interface import Implementation
from suites.engine.ranks.messages import Forward, Reply
from suites.engine.ranks.own_call import MODES, OwnRank
from suites.engine.ranks.transfers import Recording, UnknownTransferError
from suites.measure import memory
from suites.measure.inputs import Inputs, call_of

CALLS: Final = 8
ENOUGH_S: Final = 4.0
"""Calls whose peak is read, and seconds after which no further one begins."""


def count_bytes(own: OwnRank, each: Implementation, order: Forward) -> Reply:
    """Peak bytes of a whole call, then the sent bytes of another one."""
    memory.self_check()
    call = whole_call(own, each, order, own.inputs(order, each.division))
    call()  # what a function makes once and keeps is no part of a call
    peak = _peak(own, call, order.problem.device)
    own.begin_together()
    recording = Recording()
    try:
        with recording:
            call()
        sent: int | None = recording.sent_bytes
    except UnknownTransferError:
        sent = None
    return Reply(found={"peak_bytes": peak, "sent_bytes": sent})


def _peak(own: OwnRank, call: Callable[[], tuple[Tensor, ...]], device: str) -> int:
    """The smallest peak of several calls.

    A tensor whose last holder is gloo's thread is released there, where the instrument does not see
    it: of 16 calls of `ulysses` 4 read one tensor too much.
    """
    until = time.monotonic() + ENOUGH_S
    peaks: list[int] = []
    while len(peaks) < CALLS and own.agree(well=not peaks or time.monotonic() < until):
        own.begin_together()
        peaks.append(memory.peak_of_one_call(call, device))
    return min(peaks)


def whole_call(
    own: OwnRank, each: Implementation, order: Forward, given: Inputs, group: object = None
) -> Callable[[], tuple[Tensor, ...]]:
    """A call without arguments on this rank's parts: (out,), or (out, dq, dk, dv) in training."""
    function = own.bound(each, order.problem, given, group)
    mode = MODES["grad" if order.problem.training else "no_grad"]
    return partial(_within, mode, call_of(function, given))


def _within(
    mode: Callable[[], AbstractContextManager[Any]], call: Callable[[], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    with mode():
        return call()

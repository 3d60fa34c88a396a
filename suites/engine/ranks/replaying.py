"""The time of one rank's transfers alone, and of its arithmetic alone.

Transfers: those of a recorded call are made again on the same group, with tensors of the same
sizes, in the same order and with the same waits, and nothing is computed between them. Arithmetic:
the same function gets a group of torch's backend `fake`, whose transfers move nothing and return at
once, so that it computes on whatever its buffers hold.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._pytree import tree_map

from impls.interface import Implementation
from suites.engine.ranks.counting import whole_call
from suites.engine.ranks.messages import Forward, Reply
from suites.engine.ranks.own_call import OwnRank
from suites.engine.ranks.transfers import Recording, Transfer, UnknownTransferError, Wait

REPEATS_MS: Final = 300.0
"""What the repeats of one figure may take."""
MOST: Final = 9
"""Repeats at most; the median of them is the figure."""


def time_parts(own: OwnRank, each: Implementation, order: Forward) -> Reply:
    """Milliseconds of the transfers and of the arithmetic of one call; None where not possible."""
    given = own.inputs(order, each.division)
    call = whole_call(own, each, order, given)
    recording, known = Recording(), True
    try:
        with recording:
            call()
    except UnknownTransferError:
        known = False
    communication_ms = None
    if own.agree(well=known):
        communication_ms = _median_ms(own, lambda: replay(recording))
    arithmetic_ms = _arithmetic_ms(own, each, order)
    return Reply(found={"communication_ms": communication_ms, "arithmetic_ms": arithmetic_ms})


def _median_ms(own: OwnRank, call: Callable[[], object]) -> float:
    """The median time of a call on this rank, after one that does not count."""
    first_ms = _one_ms(own, call)
    slowest = torch.tensor([first_ms])
    dist.all_reduce(slowest, op=dist.ReduceOp.MAX, group=own.control)  # all repeat as often
    count = max(1, min(MOST, int(REPEATS_MS / max(float(slowest), 1e-3))))
    return median(_one_ms(own, call) for _ in range(count))


def _one_ms(own: OwnRank, call: Callable[[], object]) -> float:
    own.begin_together()
    began = own.now_ns()
    call()
    return (own.now_ns() - began) / 1e6


def replay(recording: Recording) -> None:
    """Make the recorded transfers again. At each wait of the function, all of them are finished."""
    works: list[Any] = []
    results: list[Any] = []
    for event in recording.events:
        if isinstance(event, Wait):
            _finish(works, results)
        else:
            _issue(event, works, results)
    _finish(works, results)


def _issue(event: Transfer, works: list[Any], results: list[Any]) -> None:
    """Call an operator with its own tensors again: what they hold does not matter any more."""
    made = event.function(*event.arguments, **event.named)
    if event.function.namespace == "_c10d_functional":
        results.append(made)
    else:
        works.append(made[-1] if isinstance(made, tuple) else made)


def _finish(works: list[Any], results: list[Any]) -> None:
    for work in works:
        _work(work).wait()
    for each in results:
        tree_map(_finished, each)
    works.clear()
    results.clear()


def _work(work: Any) -> Any:
    return dist.Work.unbox(work) if isinstance(work, torch.ScriptObject) else work


def _finished(x: Any) -> Any:
    return torch.ops._c10d_functional.wait_tensor(x) if isinstance(x, Tensor) else x  # noqa: SLF001 - the operator's only name


def _arithmetic_ms(own: OwnRank, each: Implementation, order: Forward) -> float | None:
    """None where the function refuses the group, or does not send through it."""
    fake = _fake_group()
    call = whole_call(own, each, order, own.inputs(order, each.division), fake)
    try:
        recording = Recording()
        with recording:
            call()
        well = all(event.group == fake for event in recording.transfers)
    except Exception:  # noqa: BLE001 - a function of a user may refuse a group in any way
        well = False
    if not own.agree(well=well):
        return None
    return _median_ms(own, call)


@functools.cache
def _fake_group() -> dist.ProcessGroup:
    """A group of the same size whose transfers move nothing."""
    import torch.testing._internal.distributed.fake_pg  # noqa: F401, PLC0415 - it adds the backend

    made: dist.ProcessGroup = dist.new_group(backend="fake")
    return made

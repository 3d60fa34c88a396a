"""The program of a rank: it joins its group and does what its session orders.

Started as `python -P -m suites.engine.ranks.worker CONNECTION RANK RANKS FOLDER DEVICE`. It ends
when the session does, since its connection closes then.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suites.engine.ranks.messages import (
    Backward,
    CountBytes,
    Drop,
    Forget,
    Forward,
    Load,
    Order,
    Reply,
    Source,
    TimeParts,
)

if TYPE_CHECKING:
    from impls.interface import Implementation

NEVER: Final = timedelta(days=7)
"""The session watches the time of every call, and names the rank that hangs: torch must not."""


def main() -> None:
    """Join the group, then carry out orders until the session closes the connection."""
    descriptor, rank, ranks = (int(word) for word in sys.argv[1:4])
    folder, device = Path(sys.argv[4]), sys.argv[5]
    _watch_stacks(folder / f"stack{rank}")
    _lift_data_limit()
    connection = Connection(descriptor)
    worker = Worker(rank, ranks, folder, device)
    connection.send(Reply())
    with contextlib.suppress(EOFError):
        while True:
            order: Order = connection.recv()
            connection.send(worker.reply(order))


def _watch_stacks(path: Path) -> None:
    """On SIGUSR1, write where this process is."""
    faulthandler.register(signal.SIGUSR1, path.open("w"), all_threads=False)


def _lift_data_limit() -> None:
    """Lift RLIMIT_DATA: a session starts its ranks within the limit of a call of its own."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


class Worker:
    """One rank of a group."""

    def __init__(self, rank: int, ranks: int, folder: Path, device: str) -> None:
        import torch  # noqa: PLC0415 - the connection is open before it
        import torch.distributed as dist  # noqa: PLC0415 - likewise

        from suites.engine import call_limits, outcome  # noqa: F401, PLC0415 - before any call
        from suites.engine.ranks import counting, replaying  # noqa: F401, PLC0415 - before any call
        from suites.engine.ranks.own_call import OwnRank  # noqa: PLC0415 - likewise
        from suites.engine.ranks.parts import SharedTensors  # noqa: PLC0415 - likewise
        from suites.measure import precision  # noqa: PLC0415 - likewise

        precision.settle()
        if device == "cuda":
            device = f"cuda:{rank}"
            torch.cuda.set_device(rank)
        dist.init_process_group(
            "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl",
            init_method=f"file://{folder / 'store'}",
            rank=rank,
            world_size=ranks,
            timeout=NEVER,
        )
        control = dist.new_group(backend="gloo", timeout=NEVER)
        self._own = OwnRank(rank, ranks, device, SharedTensors(folder), control)
        self._known: dict[Any, Implementation] = {}
        self._work: dict[type, Callable[[Any], Reply]] = {
            Load: self._load,
            Forward: self._forward,
            Backward: self._backward,
            Drop: self._drop,
            Forget: self._forget,
            CountBytes: self._count_bytes,
            TimeParts: self._time_parts,
        }

    def reply(self, order: Order) -> Reply:
        """Carry out an order. Whatever the function raises becomes the fault of the reply."""
        from suites.engine.ranks.own_call import WrongFormError  # noqa: PLC0415 - torch is loaded

        try:
            return self._work[type(order)](order)
        except WrongFormError as error:
            return Reply(fault=str(error))
        except BaseException as error:  # noqa: BLE001 - a function of a user may raise anything
            return _fault(error)

    def _resolved(self, source: Source) -> Implementation:
        from suites.engine.outcome import resolve  # noqa: PLC0415 - torch is loaded

        if source.key not in self._known:
            self._known[source.key] = resolve(
                source.spec, source.files, source.readings, source.hashes
            )
        return self._known[source.key]

    def _load(self, order: Load) -> Reply:
        self._resolved(order.source)
        return Reply()

    def _forward(self, order: Forward) -> Reply:
        from suites.engine.call_limits import limited_memory  # noqa: PLC0415 - torch is loaded

        each = self._resolved(order.source)
        with limited_memory(order.memory_limit, order.problem.device):
            return Reply(call_ms=self._own.forward(order, each))

    def _backward(self, order: Backward) -> Reply:
        from suites.engine.call_limits import limited_memory  # noqa: PLC0415 - torch is loaded

        device = self._own.kept[order.token].problem.device
        with limited_memory(order.memory_limit, device):
            return Reply(call_ms=self._own.backward(order))

    def _drop(self, order: Drop) -> Reply:
        for token in order.tokens:
            self._own.kept.pop(token, None)
        return Reply()

    def _forget(self, order: Forget) -> Reply:
        from suites.engine.outcome import clear_caches  # noqa: PLC0415 - torch is loaded

        clear_caches(self._resolved(order.source))
        return Reply()

    def _count_bytes(self, order: CountBytes) -> Reply:
        from suites.engine.ranks import counting  # noqa: PLC0415 - torch is loaded

        return counting.count_bytes(self._own, self._resolved(order.call.source), order.call)

    def _time_parts(self, order: TimeParts) -> Reply:
        from suites.engine.ranks import replaying  # noqa: PLC0415 - torch is loaded

        return replaying.time_parts(self._own, self._resolved(order.call.source), order.call)


def _fault(error: BaseException) -> Reply:
    """The reply for an exception of the function."""
    from suites.engine.outcome import no_memory, said  # noqa: PLC0415 - torch is loaded

    return Reply(fault=said(error), memory=no_memory(error))


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)
    main()

"""The transfers of a call as torch's dispatcher sees them, and the bytes that each of them sends.

Every function sends through operators of the namespaces `c10d` and `_c10d_functional`, whatever
calls it makes. The bytes are those of the usual algorithms, and the same for every backend:

    send                the tensor
    broadcast, scatter  from the root: N - 1 times the part that one rank gets; from others: none
    gather, reduce      to the root: the tensor; from the root itself: none
    all_gather          N - 1 times the part of this rank
    all_to_all          what is for other ranks: (N - 1) / N of equal parts
    reduce_scatter      (N - 1) / N of the input
    all_reduce          2 (N - 1) / N of the tensor: a reduce_scatter, and an all_gather of parts

The formulas of ring algorithms are those of NVIDIA's nccl-tests, doc/PERFORMANCE.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Self

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

NAMESPACES: Final = ("c10d", "_c10d_functional")
WAITS: Final = ("wait_tensor",)
"""Operators of these namespaces that transfer nothing."""
WRAPPERS: Final = ("_wrap_tensor_autograd",)
"""Operators of these namespaces that belong to no group."""
SILENT: Final = ("barrier", "monitored_barrier_", "recv_", "recv_any_source_")
"""Operators of these namespaces that send no tensor."""


class UnknownTransferError(Exception):
    """A transfer whose bytes no rule states."""


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """One operator that was called.

    function   the operator
    arguments  as it was called
    ranks      of its group
    sent       bytes that this rank sends
    """

    function: Any
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    group: dist.ProcessGroup
    sent: int


class Wait:
    """The function waited for its transfers here."""


@dataclass(slots=True)
class _Call:
    """What the rules read of a transfer.

    given  bytes of the tensors that it sends from
    """

    arguments: tuple[Any, ...]
    ranks: int
    rank: int
    inputs: Sequence[Tensor] = field(default_factory=list)

    @property
    def given(self) -> int:
        return sum(x.numel() * x.element_size() for x in self.inputs)


def _others(call: _Call) -> Fraction:
    return Fraction(call.ranks - 1, call.ranks) * call.given


def _from_root(call: _Call) -> Fraction:
    root = _first_number(call.arguments)
    return Fraction((call.ranks - 1) * call.given if call.rank == root else 0)


def _to_root(call: _Call) -> Fraction:
    root = _first_number(call.arguments)
    return Fraction(0 if call.rank == root else call.given)


def _all_to_all(call: _Call) -> Fraction:
    """Without the part for this rank; parts of other sizes are stated in rows."""
    sizes = _sizes(call.arguments)
    if not sizes:
        return _others(call)
    return Fraction(sum(sizes) - sizes[call.rank], max(1, sum(sizes))) * call.given


_RESOLVE: Final[Any] = getattr(dist.distributed_c10d, "_resolve_process_group")  # noqa: B009 - no public name

Rule = tuple[int, Callable[[_Call], Fraction]]
"""The place of the tensors that are sent among the arguments, and the bytes."""
RULES: Final[dict[str, Rule]] = {
    "send": (0, lambda call: Fraction(call.given)),
    "broadcast_": (0, _from_root),
    "reduce_": (0, _to_root),
    "gather_": (1, _to_root),
    "scatter_": (1, lambda call: Fraction(call.given * (call.ranks - 1), call.ranks)),
    "allgather_": (1, lambda call: Fraction((call.ranks - 1) * call.given)),
    "_allgather_base_": (1, lambda call: Fraction((call.ranks - 1) * call.given)),
    "allgather_coalesced_": (1, lambda call: Fraction((call.ranks - 1) * call.given)),
    "allgather_into_tensor_coalesced_": (1, lambda call: Fraction((call.ranks - 1) * call.given)),
    "alltoall_": (1, _others),
    "alltoall_base_": (1, _all_to_all),
    "reduce_scatter_": (1, _others),
    "_reduce_scatter_base_": (1, _others),
    "reduce_scatter_tensor_coalesced_": (1, _others),
    "allreduce_": (0, lambda call: 2 * _others(call)),
    "allreduce_coalesced_": (0, lambda call: 2 * _others(call)),
    "all_reduce": (0, lambda call: 2 * _others(call)),
    "all_reduce_": (0, lambda call: 2 * _others(call)),
    "all_gather_into_tensor": (0, lambda call: Fraction((call.ranks - 1) * call.given)),
    "all_gather_into_tensor_out": (0, lambda call: Fraction((call.ranks - 1) * call.given)),
    "reduce_scatter_tensor": (0, _others),
    "all_to_all_single": (0, _all_to_all),
    "broadcast": (0, _from_root),
}
"""The rule of each operator, by its name."""


class Recording(TorchDispatchMode):
    """Within this, the transfers of a call are recorded.

    events  transfers, and the places where the function waits for them
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's
        self.events: list[Transfer | Wait] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Record a transfer, and let everything happen."""
        if any(each.__name__ == "DTensor" for each in types):
            return NotImplemented  # its own dispatch calls the operators that transfer
        named = kwargs or {}
        name = func._schema.name.split("::")[1]  # noqa: SLF001 - the operator's own name
        if func.namespace in NAMESPACES:
            if name in WAITS:
                self.events.append(Wait())
            elif name not in WRAPPERS:
                self.events.append(_transfer(func, name, args, named))
        return func(*args, **named)

    def __enter__(self) -> Self:
        """Also see `Work.wait`, which is no operator."""
        self._wait = dist.Work.wait
        events, wait = self.events, self._wait

        def waited(work: Any, *given: Any, **named: Any) -> Any:
            events.append(Wait())
            return wait(work, *given, **named)

        dist.Work.wait = waited  # type: ignore[method-assign, assignment] # put back on exit
        super().__enter__()  # type: ignore[no-untyped-call] # torch's
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        super().__exit__(*error)  # type: ignore[no-untyped-call] # torch's
        dist.Work.wait = self._wait  # type: ignore[method-assign] # as before

    @property
    def transfers(self) -> list[Transfer]:
        """The transfers alone, in order."""
        return [each for each in self.events if isinstance(each, Transfer)]

    @property
    def sent_bytes(self) -> int:
        """Bytes that this rank sent."""
        return sum(each.sent for each in self.transfers)


def _transfer(func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Transfer:
    """Raises UnknownTransferError for an operator without a rule."""
    group = _group(args, named)
    if name in SILENT:
        return Transfer(func, args, named, group, 0)
    if name not in RULES:
        raise UnknownTransferError(f"no rule states the bytes of {name}")
    place, rule = RULES[name]
    call = _Call(args, group.size(), group.rank(), list(_tensors(args[place])))
    return Transfer(func, args, named, group, int(rule(call)))


def _group(args: tuple[Any, ...], named: dict[str, Any]) -> dist.ProcessGroup:
    """The process group among the arguments: an object, or the name of one."""
    for each in (*args, *named.values()):
        if isinstance(each, dist.ProcessGroup):
            return each
        if isinstance(each, torch.ScriptObject):
            try:
                return dist.ProcessGroup.unbox(each)
            except RuntimeError:
                continue  # another object, as a reduction
    for each in reversed((*args, *named.values())):
        if isinstance(each, str):
            found: dist.ProcessGroup = _RESOLVE(each)
            return found
    raise UnknownTransferError("a transfer without a process group")


def _tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, (list, tuple)):
        for each in found:
            yield from _tensors(each)


def _first_number(args: tuple[Any, ...]) -> int:
    return next((x for x in args if isinstance(x, int) and not isinstance(x, bool)), 0)


def _sizes(args: tuple[Any, ...]) -> list[int]:
    """The rows for each rank: the last list of numbers; empty: equal parts."""
    lists = [x for x in args if isinstance(x, (list, tuple)) and all(type(y) is int for y in x)]
    return list(lists[-1]) if lists else []

"""CUDA graphs of the stand-in: operators that run again on the same memory."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.weak import WeakIdKeyDictionary

Address = tuple[int, int]
"""Of a block: where it begins, and its bytes."""


def address_of(x: torch.Tensor) -> Address:
    """The block of a tensor's storage."""
    storage = x.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor that an earlier operator of the graph makes."""

    number: int


@dataclass(frozen=True)
class Operator:
    """An operator of a graph.

    leaves, structure  its arguments
    made               for each tensor that it returns: its slot, and the tensor made in the capture
    """

    function: Callable[..., Any]
    leaves: list[Any]
    structure: Any
    made: list[tuple[int | None, weakref.ref[torch.Tensor]]]


class Graph:
    """A captured list of operators.

    reads  blocks that it reads and did not make, with the number of their allocation
    """

    def __init__(self, runtime: Any, **_: Any) -> None:
        self._runtime = runtime
        self._operators: list[Operator] = []
        self._last_use: dict[int, int] = {}
        self._next_slot = 0
        self._slots = WeakIdKeyDictionary()
        self._made: set[Address] = set()
        self.reads: dict[Address, int] = {}

    def write_down(self, call: functools.partial[Any], made: Any) -> None:
        """Keep an operator. Tensors of the graph are kept as slots: their memory is reused."""
        leaves, structure = tree_flatten((call.args, call.keywords))
        inputs = [x for x in leaves if isinstance(x, torch.Tensor)]
        for x in inputs:
            block = address_of(x)
            if block not in self._made and block in self._runtime.allocations:
                self.reads.setdefault(block, self._runtime.allocations[block])
        results = [(self._slot(x, inputs), weakref.ref(x)) for x in _tensors(made)]
        kept = [Slot(self._slots[x]) if _is_in(self._slots, x) else x for x in leaves]
        self._operators.append(Operator(call.func, kept, structure, results))
        used = [x.number for x in kept if isinstance(x, Slot)]
        for number in (*used, *(n for n, _ in results if n is not None)):
            self._last_use[number] = len(self._operators) - 1

    def _slot(self, made: torch.Tensor, inputs: list[torch.Tensor]) -> int | None:
        """The slot of a result; None for an input from outside that it wrote to."""
        if not any(made is x for x in inputs):
            self._slots[made] = self._next_slot
            self._next_slot += 1
            if address_of(made) not in self.reads:
                self._made.add(address_of(made))
        return self._slots[made] if _is_in(self._slots, made) else None

    def replay(self) -> None:
        """Run the operators again. Raises RuntimeError where memory was freed that they read."""
        self._runtime.replays += 1
        now = self._runtime.allocations
        if any(now.get(block) != number for block, number in self.reads.items()):
            raise RuntimeError("a CUDA graph reads memory that was freed after its capture")
        values: dict[int, torch.Tensor] = {}
        plain = torch._C.DisableTorchFunction(), _disable_current_modes(), torch.no_grad()
        with self._runtime.computing(), plain[0], plain[1], plain[2]:
            for number, operator in enumerate(self._operators):
                self._run(operator, values)
                self._runtime.busy(self._runtime.kernel_us)
                for slot in [x for x in values if self._last_use[x] <= number]:
                    del values[slot]

    def _run(self, operator: Operator, values: dict[int, torch.Tensor]) -> None:
        leaves = [values[x.number] if isinstance(x, Slot) else x for x in operator.leaves]
        args, kwargs = tree_unflatten(leaves, operator.structure)
        found = _tensors(operator.function(*args, **kwargs))
        for (slot, captured), value in zip(operator.made, found, strict=True):
            into = captured()
            if into is not None and into.data_ptr() != value.data_ptr():
                into.copy_(value)
            if slot is not None:
                values[slot] = value if into is None else into

    def reset(self) -> None:
        self._operators.clear()
        self.reads.clear()


def _tensors(made: Any) -> list[torch.Tensor]:
    return [x for x in tree_leaves(made) if isinstance(x, torch.Tensor)]


def _is_in(slots: WeakIdKeyDictionary, x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x in slots

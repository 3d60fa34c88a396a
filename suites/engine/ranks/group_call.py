"""A function of a group as a function of whole tensors: the ranks get parts, and return theirs."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from impls.interface import AttentionFunction, BiasValues, Implementation, Problem
from suites.engine.ranks.group import START_LIMIT_S, Group
from suites.engine.ranks.groups import Groups, groups
from suites.engine.ranks.messages import (
    Backward,
    CountBytes,
    Drop,
    Forget,
    Forward,
    Load,
    Order,
    Reply,
    Shared,
    Source,
    TimeParts,
)
from suites.measure.inputs import Inputs

NAMES: Final = ("q", "k", "v")
SHARE_OF_LIMIT: Final = 0.8
"""A group is ended after this part of --time-limit, so that the message names the rank: at the
limit itself the session would be ended with it."""


@dataclass(frozen=True, slots=True)
class Limited:
    """Limits of one implementation on one problem.

    time_s        seconds
    memory_bytes  that one call may add, on all ranks together
    """

    time_s: float
    memory_bytes: int


def grouped(each: Implementation, source: Source, limited: Limited) -> Implementation:
    """An implementation of a group that can be called in its processes; any other as it is."""
    if not each.takes_group:
        return each
    return replace(each, group_call=Ranks(source, limited, groups()))


@dataclass(slots=True)
class Ranks:
    """Calls one implementation in groups of processes.

    spent_s  seconds of its calls on a problem so far
    """

    source: Source
    limited: Limited
    groups: Groups
    spent_s: dict[Problem, float] = field(default_factory=dict)
    _tokens: Any = field(default_factory=lambda: itertools.count(1))
    _dropped: list[int] = field(default_factory=list)
    _loaded: weakref.WeakSet[Group] = field(default_factory=weakref.WeakSet)

    def start(self, problem: Problem) -> None:
        """Have the processes of this problem running, with the files of this implementation."""
        group = self.groups.running(problem.ranks, problem.device)
        if group not in self._loaded:
            group.ask(Load(source=self.source), START_LIMIT_S, START_LIMIT_S)
            self._loaded.add(group)

    def forget(self) -> None:
        """Empty the caches of its files in every process."""
        self.groups.ask_all(Forget(source=self.source), self.limited.time_s)

    def prepared(self, problem: Problem) -> Callable[..., AttentionFunction]:
        """`bound(bias=..., sink=...)`, which returns a function of whole q, k and v."""

        def bound(
            *, bias: BiasValues | None = None, sink: Tensor | None = None
        ) -> AttentionFunction:
            values = {"bias": None if bias is None else bias.values, "sink": sink}
            return partial(self._whole, problem, values)

        return bound

    def count_bytes(self, problem: Problem, inputs: Inputs) -> list[Reply]:
        """The memory and the sent bytes of one whole call, by rank."""
        return self._ask(problem, CountBytes(call=self._whole_call(problem, inputs)))

    def time_parts(self, problem: Problem, inputs: Inputs) -> list[Reply]:
        """The time of transfers and of arithmetic of one whole call, by rank."""
        return self._ask(problem, TimeParts(call=self._whole_call(problem, inputs)))

    def _whole_call(self, problem: Problem, inputs: Inputs) -> Forward:
        """A call with all its inputs; in training with the gradient of the output."""
        values = {"bias": inputs.bias.values if inputs.bias else None, "sink": inputs.sink}
        given = {"q": inputs.q, "k": inputs.k, "v": inputs.v, "grad": inputs.grad, **values}
        return self._order(problem, given, (problem.training,) * 3)

    def _order(
        self, problem: Problem, given: Mapping[str, Tensor | None], requires: tuple[bool, ...]
    ) -> Forward:
        shared = self.groups.tensors(problem.ranks, problem.device)
        handed = {name: shared.written(name, x) for name, x in given.items() if x is not None}
        q, v = handed["q"], handed["v"]
        mode = "inference" if torch.is_inference_mode_enabled() else "no_grad"
        return Forward(
            source=self.source,
            problem=problem,
            given=handed,
            out=Shared(name="out", shape=(*q.shape[:3], v.shape[3]), dtype=q.dtype),
            requires=(requires[0], requires[1], requires[2]),
            mode="grad" if any(requires) else mode,
            deterministic=torch.get_deterministic_debug_mode(),
            memory_limit=self._memory(problem),
            together=self.groups.is_timed,
        )

    def _memory(self, problem: Problem) -> int:
        """Bytes that a call may add on one rank: each has a device of its own, or a share."""
        whole = self.limited.memory_bytes
        return whole if problem.device == "cuda" else whole // problem.ranks

    def _whole(self, problem: Problem, values: Mapping[str, Tensor | None], *qkv: Tensor) -> Tensor:
        self.start(problem)
        requires = tuple(torch.is_grad_enabled() and x.requires_grad for x in qkv)
        if not any(requires):
            return self.forward(problem, values, qkv, requires)[0]
        made: Tensor = _Whole.apply(self, problem, values, requires, *qkv)  # type: ignore[no-untyped-call] # torch's
        return made

    def forward(
        self,
        problem: Problem,
        values: Mapping[str, Tensor | None],
        qkv: tuple[Tensor, ...],
        requires: tuple[bool, ...],
    ) -> tuple[Tensor, int]:
        """The whole output, and the token of its graph; 0 where no gradient is required."""
        given = {**dict(zip(NAMES, qkv, strict=True)), **values}
        order = self._order(problem, given, requires)
        if any(requires):
            order = replace(order, token=next(self._tokens))
        self._ask(problem, order)
        return self._read(problem, order.out), order.token

    def backward(
        self, problem: Problem, token: int, grad: Tensor, requires: tuple[bool, ...]
    ) -> dict[str, Tensor]:
        """The whole gradients of the inputs that require one, by name."""
        shared = self.groups.tensors(problem.ranks, problem.device)
        dtype = str(grad.dtype).removeprefix("torch.")
        shapes = _shapes(problem)
        wanted = {
            f"d{name}": Shared(name=f"d{name}", shape=shapes[name], dtype=dtype)
            for name, required in zip(NAMES, requires, strict=True)
            if required
        }
        written = shared.written("grad", grad)
        order = Backward(
            token=token,
            grad=written,
            gradients=wanted,
            memory_limit=self._memory(problem),
            together=self.groups.is_timed,
        )
        self._ask(problem, order)
        return {name[1:]: self._read(problem, each) for name, each in wanted.items()}

    def drop(self, token: int) -> None:
        """Forget a kept graph, before the next order: this is called when Python collects it."""
        self._dropped.append(token)

    def _read(self, problem: Problem, each: Shared) -> Tensor:
        whole = self.groups.tensors(problem.ranks, problem.device).whole(each)
        return whole.clone().to(problem.device)

    def _ask(self, problem: Problem, order: Order) -> list[Reply]:
        if self._dropped:
            tokens, self._dropped = tuple(self._dropped), []
            self.groups.ask(problem.ranks, problem.device, Drop(tokens=tokens), 60.0, 60.0)
        spent_s = self.spent_s.get(problem, 0.0)
        stated_s = SHARE_OF_LIMIT * self.limited.time_s
        replies, took_s = self.groups.timed(
            problem.ranks, problem.device, order, max(0.1, stated_s - spent_s), stated_s
        )
        self.spent_s[problem] = spent_s + took_s
        return replies


class _Whole(torch.autograd.Function):
    """The call of a group in torch's graph: its backward pass is the group's."""

    @staticmethod
    def forward(
        ctx: Any,
        ranks: Ranks,
        problem: Problem,
        values: Mapping[str, Tensor | None],
        requires: tuple[bool, ...],
        *qkv: Tensor,
    ) -> Tensor:
        """The whole output."""
        out, token = ranks.forward(problem, values, qkv, requires)
        ctx.of = ranks, problem, token, requires
        ctx.held = _Held()
        weakref.finalize(ctx.held, ranks.drop, token)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """The whole gradients of q, k and v."""
        ranks, problem, token, requires = ctx.of
        made = ranks.backward(problem, token, grad, requires)
        return (None, None, None, None, *(made.get(name) for name in NAMES))


class _Held:
    """Lives as long as the graph of a call."""

    __slots__ = ("__weakref__",)


def _shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    keys = (problem.batch, problem.key_heads, problem.key_length)
    return {
        "q": (problem.batch, problem.query_heads, problem.query_length, problem.head_dim),
        "k": (*keys, problem.head_dim),
        "v": (*keys, problem.value_size),
    }

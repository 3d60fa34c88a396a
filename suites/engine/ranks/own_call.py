"""One rank's own part of a call: its inputs, the function on them, and its rows of the outputs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor

from impls.interface import BiasValues, Implementation, Problem
from impls.interface.ranks import GROUP
from suites.engine.ranks.messages import Backward, Forward
from suites.engine.ranks.parts import SharedTensors, part_of, put, ranges_of
from suites.measure.inputs import Inputs

AHEAD_NS: Final = 200_000
"""All ranks begin a call at one instant, this many ns after the last of them is ready: a message to
all of them took 0.2 to 0.4 ms on 2 cores."""
MODES: Final[dict[str, Callable[[], contextlib.AbstractContextManager[Any]]]] = {
    "grad": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
}


class WrongFormError(Exception):
    """A rank returned something else than its rows of the output."""


@dataclass(slots=True)
class Kept:
    """A forward pass that waits for its backward pass."""

    problem: Problem
    shards: str
    out: Tensor
    leaves: list[Tensor]


@dataclass(slots=True)
class OwnRank:
    """This process as a rank of its group.

    control  a group of the same processes for the program's own messages, on the CPU
    """

    rank: int
    ranks: int
    device: str
    tensors: SharedTensors
    control: Any
    kept: dict[int, Kept] = field(default_factory=dict)

    @property
    def group(self) -> dist.ProcessGroup:
        """The group that a function gets."""
        found = dist.group.WORLD
        if found is None:
            raise RuntimeError("a rank before its group was made")
        return found

    def inputs(self, order: Forward, shards: str) -> Inputs:
        """The parts of this rank; bias and sink are whole."""
        queries, keys = (each[self.rank] for each in ranges_of(order.problem, shards))
        problem = replace(order.problem, device="cpu")

        def part(name: str, ranges: tuple[range, ...]) -> Tensor:
            return part_of(self.tensors.whole(order.given[name]), ranges, problem, self.device)

        def whole(name: str) -> Tensor | None:
            each = order.given.get(name)
            return None if each is None else self.tensors.whole(each).clone().to(self.device)

        bias = whole("bias")
        return Inputs(
            part("q", queries),
            part("k", keys),
            part("v", keys),
            part("grad", queries) if "grad" in order.given else None,
            None if bias is None else BiasValues(order.problem.bias.kind, bias),
            whole("sink"),
        )

    def bound(
        self, each: Implementation, problem: Problem, given: Inputs, group: Any = None
    ) -> Callable[..., Tensor]:
        """The function of this rank's parts.

        group  instead of the group of this rank

        Every call gets a mask of its own, so that no cache keyed by `id(mask)` is right by chance.
        """
        mask = replace(problem.mask.resolved(problem.batch, problem.key_length))
        arguments: dict[str, Any] = {
            "mask": mask,
            "scale": problem.softmax_scale,
            "softcap": problem.softcap,
            "bias": given.bias,
            "sink": given.sink,
            GROUP: self.group if group is None else group,
        }
        return each.in_own_layout(each.bound(**arguments))

    def forward(self, order: Forward, each: Implementation) -> float:
        """Call the function and write the rows; milliseconds of the call."""
        given = self.inputs(order, each.division)
        before = [x.clone() for x in (given.q, given.k, given.v)]
        function = self.bound(each, order.problem, given)
        leaves = [
            x.detach().requires_grad_(requires) if order.mode == "grad" else x
            for x, requires in zip((given.q, given.k, given.v), order.requires, strict=True)
        ]
        with MODES[order.mode](), _deterministic(order.deterministic):
            if order.together:
                self.begin_together()
            began = self.now_ns()
            out = function(*leaves)
            took_ms = (self.now_ns() - began) / 1e6
        for name, x, old in zip("qkv", leaves, before, strict=True):
            if not torch.equal(x.detach(), old):
                raise WrongFormError(f"wrote to its input {name}")
        self.expect_form(out, given)
        queries = ranges_of(order.problem, each.division)[0][self.rank]
        put(self.tensors.whole(order.out), queries, out)
        if order.token:
            self.kept[order.token] = Kept(order.problem, each.division, out, leaves)
        return took_ms

    def backward(self, order: Backward) -> float:
        """Run a backward pass and write the rows of the gradients; milliseconds of it.

        Raises KeyError for a graph that is not kept.
        """
        kept = self.kept[order.token]
        queries, keys = (each[self.rank] for each in ranges_of(kept.problem, kept.shards))
        on_cpu = replace(kept.problem, device="cpu")
        grad = part_of(self.tensors.whole(order.grad), queries, on_cpu, self.device)
        wanted = [x for x in kept.leaves if x.requires_grad]
        if order.together:
            self.begin_together()
        began = self.now_ns()
        made = torch.autograd.grad(
            kept.out, wanted, grad, retain_graph=True, materialize_grads=True
        )
        took_ms = (self.now_ns() - began) / 1e6
        for (name, shared), gradient in zip(order.gradients.items(), made, strict=True):
            put(self.tensors.whole(shared), queries if name == "dq" else keys, gradient)
        return took_ms

    def begin_together(self) -> None:
        """Return on all ranks at one instant, with the work of the device done."""
        if self.device != "cpu":
            torch.cuda.synchronize()
        instant = torch.tensor([time.monotonic_ns() + AHEAD_NS])
        dist.all_reduce(instant, op=dist.ReduceOp.MAX, group=self.control)
        until = int(instant)
        while time.monotonic_ns() < until:
            pass

    def now_ns(self) -> int:
        """The monotonic clock once the work of the device is done."""
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.monotonic_ns()

    def agree(self, *, well: bool) -> bool:
        """Whether all ranks are well."""
        found = torch.tensor([int(well)])
        dist.all_reduce(found, op=dist.ReduceOp.MIN, group=self.control)
        return bool(found)

    def expect_form(self, out: object, given: Inputs) -> None:
        """Raise WrongFormError for anything but this rank's rows of the output."""
        if not isinstance(out, Tensor):
            raise WrongFormError(f"returned {type(out).__name__}, expected one tensor")
        expected = [*given.q.shape[:3], given.v.shape[3]]
        if list(out.shape) != expected:
            raise WrongFormError(f"returned {list(out.shape)}, expected {expected}")
        if out.dtype != given.q.dtype:
            raise WrongFormError(f"returned {out.dtype}, expected {given.q.dtype}")


@contextlib.contextmanager
def _deterministic(mode: int) -> Iterator[None]:
    before = torch.get_deterministic_debug_mode()
    if mode != before:
        torch.set_deterministic_debug_mode(mode)
    try:
        yield
    finally:
        if mode != before:
            torch.set_deterministic_debug_mode(before)

"""The floor of an attention: its matrix products and its exponential, without anything between.

A call of the implementation is recorded. The floor repeats its batched products and the
exponentials of scores on the same views and buffers, so that the tiles are those of the
implementation. Masks, maxima, sums, rescaling and slicing are not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from impls.chunked import chunked
from impls.interface import Implementation, Problem
from impls.local_window import local_window
from impls.sdpa import sdpa_flash
from suites.measure.devices import FEWEST_SETS
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.timing import Call

OWN: Final = (chunked, local_window)
"""The program's own kernels, each with a floor."""
_SUMS: Final = (torch.ops.aten.baddbmm, torch.ops.aten.baddbmm_)
_EXPONENTIALS: Final = (torch.ops.aten.exp_, torch.ops.aten.exp2_)


@dataclass(frozen=True, slots=True)
class Arms:
    """The calls that are timed on a problem, and their ratios.

    calls  by name: the same call on sets of inputs
    pairs  an arm, and the arms whose times together are the base of its ratio
    """

    calls: Mapping[str, Sequence[Call]]
    pairs: Sequence[tuple[str, tuple[str, ...]]]


def attention_arms(problem: Problem) -> Arms:
    """`sdpa_flash`, the own kernels that take the problem, and the floor of each."""
    baseline = str(sdpa_flash)
    calls, pairs = {baseline: calls_of(sdpa_flash, problem)}, []
    # Half precision is computed in float32, and so is its floor.
    is_half = problem.dtype in ("float16", "bfloat16")
    computed = replace(problem, dtype="float32") if is_half else problem
    for each in OWN:
        if not each.refusals(problem):
            name, floor = str(each), f"floor of {each}"
            pairs += [(name, (base,)) for base in (floor, *calls) if not base.startswith("floor")]
            pairs += [(name, (floor,)), (floor, (baseline,))]
            calls[name] = calls_of(each, problem)
            calls[floor] = [floor_of(call) for call in calls_of(each, computed)]
    return Arms(calls, pairs)


def calls_of(each: Implementation, problem: Problem) -> list[Call]:
    """The same call on every set of inputs."""
    sets = [make_inputs(problem, purpose=f"time {index}") for index in range(FEWEST_SETS)]
    return [call_of(bind(each, problem, inputs), inputs) for inputs in sets]


def floor_of(call: Call) -> Callable[[], None]:
    """A call that repeats the products and the exponentials of scores of a call.

    Its results are overwritten or added to; no product reads a sum, so they stay finite.
    """
    with _Recorder() as recorder:
        call()
    steps = [step for product in recorder.products for step in product.steps()]

    @torch.no_grad()
    def repeat() -> None:
        for step in steps:
            step()

    return repeat


@dataclass(slots=True)
class _Product:
    """out = beta * out + alpha * left @ right, batched; `scores` are raised after it, or None."""

    out: Tensor
    left: Tensor
    right: Tensor
    alpha: float
    beta: float
    scores: Tensor | None = None

    def steps(self) -> Iterator[Call]:
        factors = {"alpha": self.alpha, "beta": self.beta}
        yield partial(torch.baddbmm, self.out, self.left, self.right, **factors, out=self.out)
        if self.scores is not None:
            yield self.scores.exp2_

    def repeats(self, other: _Product) -> bool:
        """Whether both multiply the same operands."""
        pairs = ((self.left, other.left), (self.right, other.right))
        return all(a.data_ptr() == b.data_ptr() and a.shape == b.shape for a, b in pairs)

    def shares(self, x: Tensor) -> bool:
        """Whether it writes to the memory of x."""
        return self.out.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Within this, batched products and exponentials of their results are recorded.

    A product that is repeated at once is recorded once: `chunked` computes the scores of a tile
    again where it raises the references of rows.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.products: list[_Product] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No compiled code runs within this. To skip it, torch would import its compiler: 2 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made, kind = func(*args, **(kwargs or {})), func.overloadpacket
        if kind in _SUMS or kind is torch.ops.aten.bmm:
            factors = {"alpha": 1.0, "beta": float(kind in _SUMS), **(kwargs or {})}
            product = _Product(made, args[-2], args[-1], factors["alpha"], factors["beta"])
            if not self.products or not product.repeats(self.products[-1]):
                self.products.append(product)
        elif kind in _EXPONENTIALS and self.products:
            self._raised(args[0])
        return made

    def _raised(self, scores: Tensor) -> None:
        """Record an exponential if its operand is the result of the latest products.

        The scores may be a scaled copy of the result; then the result is raised instead. Initial
        values of scores, as a band has, were copied before and are not part of the floor.
        """
        last = self.products[-1]
        if last.scores is None and last.shares(scores):
            last.scores = scores
            for product in takewhile(lambda each: each.shares(scores), reversed(self.products)):
                product.beta = 0.0
        elif last.scores is None and scores.numel() == last.out.numel():
            last.scores = last.out

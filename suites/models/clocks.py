"""Clocks at the ends of the attention calls of a model, forward and backward."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from impls.bridges.sdpa_calls import Attention
from suites.measure.instruments import instrument_for
from suites.records.in_model import InModel, LayerTime

MOST: Final = 5
"""Steps with clocks, at most."""
BUDGET_S: Final = 1.0
"""Seconds after which no further one begins."""


class Marks(Protocol):
    """Moments on a device."""

    def now(self) -> Any:
        """This moment, after the work so far."""

    def ms(self, begin: Any, end: Any) -> float:
        """Milliseconds between two moments."""

    def finish(self) -> None:
        """Wait for the work so far."""


class _HostMarks:
    def now(self) -> int:
        return time.perf_counter_ns()

    def ms(self, begin: int, end: int) -> float:
        return (end - begin) / 1e6

    def finish(self) -> None:
        """The work of a CPU ends when its call returns."""


class CudaMarks:
    """Moments as CUDA events; `cuda` is torch.cuda or a stand-in."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda

    def now(self) -> Any:
        """An event behind the kernels so far."""
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def ms(self, begin: Any, end: Any) -> float:
        """Milliseconds between two events."""
        return float(begin.elapsed_time(end))

    def finish(self) -> None:
        """Wait for the device."""
        self._cuda.synchronize()


class Span:
    """One attention call: the moments of its ends, forward and backward."""

    def __init__(self, layer: str, marks: Marks) -> None:
        self.layer, self._now = layer, marks.now
        self.ends: dict[str, Any] = {}

    def mark(self, end: str) -> None:
        """Note an end: begin, end, backward begin, backward end."""
        self.ends[end] = self._now()


class _Begin(torch.autograd.Function):
    """The identity before an attention call; its backward comes after that of the call."""

    @staticmethod
    def forward(ctx: Any, span: Span, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.span = span
        span.mark("begin")
        return tuple(x.view_as(x) for x in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        ctx.span.mark("backward end")
        return (None, *grads)


class _End(torch.autograd.Function):
    """The identity after an attention call; its backward comes before that of the call."""

    @staticmethod
    def forward(ctx: Any, span: Span, out: Tensor) -> Tensor:
        ctx.span = span
        span.mark("end")
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        ctx.span.mark("backward begin")
        return None, grad


class Clocks:
    """Times the attention calls of the steps of a model.

    `around` is what a bridge takes.
    """

    def __init__(self, device: str) -> None:
        table: dict[str, Callable[[], Marks]] = {
            "cpu": _HostMarks,
            "cuda": lambda: CudaMarks(torch.cuda),
        }
        self._marks = instrument_for(device, table)()
        self._spans: list[Span] = []
        self.running = False

    def around(self, layer: str, function: Attention) -> Attention:
        """The function between two identities, while a step is timed; else itself."""
        if not self.running:
            return function

        def timed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            span = Span(layer, self._marks)
            self._spans.append(span)
            made: Tensor = _End.apply(span, function(*_Begin.apply(span, q, k, v)))  # type: ignore[no-untyped-call] # torch's
            return made

        return timed

    def timed(self, step: Callable[[], object]) -> InModel:
        """The times of some steps of a model whose bridge has this `around`."""
        self.running = True
        totals: list[float] = []
        spans, ends_s = [], time.perf_counter() + BUDGET_S
        try:
            while not totals or (len(totals) < MOST and time.perf_counter() < ends_s):
                self._spans = []
                self._marks.finish()
                begin = self._marks.now()
                step()
                end = self._marks.now()
                self._marks.finish()
                totals.append(self._marks.ms(begin, end))
                spans.append([self._of(span) for span in self._spans])
        finally:
            self.running, self._spans = False, []
        layers = _by_layer(spans)
        attention = [sum(ms for _, both in own for ms in both if ms) for own in spans]
        return InModel(step_ms=median(totals), attention_ms=median(attention), layers=layers)

    def _of(self, span: Span) -> tuple[str, tuple[float, float | None]]:
        ends, ms = span.ends, self._marks.ms
        trained = "backward begin" in ends and "backward end" in ends
        backward = ms(ends["backward begin"], ends["backward end"]) if trained else None
        return span.layer, (ms(ends["begin"], ends["end"]), backward)


def _by_layer(
    steps: Sequence[Sequence[tuple[str, tuple[float, float | None]]]],
) -> tuple[LayerTime, ...]:
    """The times of each layer: sums over the calls of a step, medians over the steps."""
    names = dict.fromkeys(layer for layer, _ in steps[0])
    found = []
    for name in names:
        own = [[both for layer, both in step if layer == name] for step in steps]
        forward = median(sum(one for one, _ in calls) for calls in own)
        trained = all(other is not None for calls in own for _, other in calls)
        backward = median(sum(other or 0.0 for _, other in calls) for calls in own)
        found.append(
            LayerTime(
                layer=name,
                calls=len(own[0]),
                forward_ms=forward,
                backward_ms=backward if trained else None,
            )
        )
    return tuple(found)

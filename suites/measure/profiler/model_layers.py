"""The attention layers of a model among the source lines of its step.

A step is long: lines of the library and of its decorators above each operator would hide the
layers. So an operator within a layer has the layer with its call site, and below it the lines of
the implementation. Every other operator of the model has the innermost line alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Final

from torch import Tensor, nn

from suites.measure.profiler.call_tree import gaps
from suites.measure.profiler.events import Event
from suites.measure.profiler.placing import Placed
from suites.measure.profiler.source_lines import Frames, Stack, line_of
from suites.records.in_model import InModel, LayerTime
from suites.records.profile import LAYER, REST

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of q, k and v."""
_CALL: Final = nn.Module._call_impl.__code__  # noqa: SLF001 - the frame below every module's call
_BRIDGES: Final = ("impls/bridges/", "transformers/integrations/")
"""Folders between a layer and the function that answers it."""


class _InLayer:
    """The function of a layer; its frame says which one."""

    def __init__(self, layer: str, function: Attention, calls: Counter[str]) -> None:
        self.layer, self._function, self._calls = layer, function, calls

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._calls[self.layer] += 1
        return self._function(q, k, v)


_IN_LAYER: Final = _InLayer.__call__.__code__


class LayerFrames(Frames):
    """The stacks of a model's step; `around` is what a bridge takes.

    calls  of each layer so far
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def around(self, layer: str, function: Attention) -> Attention:
        """The function of a layer with a frame that names the layer."""
        return _InLayer(layer, function, self.calls)

    def is_traced(self, code: CodeType) -> bool:
        """Lines of implementations and libraries; the frame of a layer, before its first line."""
        return code is _IN_LAYER or super().is_traced(code)

    def stack_of(self, frame: FrameType | None) -> Stack:
        """A layer and the lines below it; outside, the innermost line.

        A backward pass in Python is below no module: it has all of its lines, and its operator
        has the layer.
        """
        lines: list[str] = []
        in_model = False
        while frame is not None:
            if frame.f_code is _IN_LAYER:
                layer = frame.f_locals["self"].layer
                return (f"{LAYER}{layer} {_site(frame.f_back)}", *reversed(lines))
            in_model = in_model or frame.f_code is _CALL
            if line := line_of(frame):
                lines.append(line)
            frame = frame.f_back
        return (f"{LAYER}{REST}", *lines[:1]) if in_model else tuple(reversed(lines))


def _site(frame: FrameType | None) -> str:
    """The line of the model that called attention, as `file:line class.function`."""
    while frame is not None:
        line = line_of(frame, qualified=True)
        if line and not any(folder in line for folder in _BRIDGES):
            return line
        frame = frame.f_back
    return ""


def in_model(root: Event, placed: Sequence[Placed], calls: Counter[str]) -> InModel:
    """The times of attention within the profiled step, by layer; on a GPU those of its kernels.

    placed  the operators of the step, in the order in which they began
    calls   of each layer in one step
    """
    on_device = any(each.kind == "kernel" for each in root.walk())
    times_ns: Counter[tuple[str, bool]] = Counter()
    place = 0
    for gap, each in gaps(root):
        if each is None:
            break
        spent_ns = _kernels_ns(each) if on_device else each.took_ns + sum(ns for _, ns in gap)
        times_ns[_layer(placed[place].stack), each.is_backward] += spent_ns
        place += sum(within.kind == "operator" for within in each.walk())
    trained = any(each.is_backward for each in root.walk())
    layers = tuple(
        LayerTime(
            layer=layer,
            calls=count,
            forward_ms=times_ns[layer, False] / 1e6,
            backward_ms=times_ns[layer, True] / 1e6 if trained else None,
        )
        for layer, count in calls.items()
    )
    spent_ms = sum(each.total_ms for each in layers)
    return InModel(step_ms=root.span_ns / 1e6, attention_ms=spent_ms, layers=layers)


def _kernels_ns(event: Event) -> int:
    return sum(each.took_ns for each in event.walk() if each.kind == "kernel")


def _layer(stack: Stack) -> str:
    """The layer of an operator; empty for another one."""
    first = stack[0] if stack else ""
    if not first.startswith(LAYER) or first == f"{LAYER}{REST}":
        return ""
    return first.removeprefix(LAYER).partition(" ")[0]

"""Calls of torch.compile: annotating lines compiles nothing, and runs the compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from suites.measure import compilers
from suites.measure.profiler.placing import placed


def test_an_annotated_call_does_not_compile_again() -> None:
    compiled: list[Any] = []

    def count(graph: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        compiled.append(graph)
        return graph.forward

    def function(x: Tensor) -> Tensor:
        return (x @ x).exp()

    x = torch.ones(4, 4)
    call = torch.compile(function, backend=count)
    call(x)
    graphs = compilers.compilations()
    found = placed(lambda: call(x), "cpu")
    assert len(compiled) == 1
    assert compilers.compilations() == graphs
    assert {"aten::mm", "aten::exp"} <= {each.event.name for each in found.operators}
    torch._dynamo.reset()

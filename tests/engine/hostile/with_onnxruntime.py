"""Causal attention of ONNX Runtime, as a user would write it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor

from impls.interface import Limits, Problem, implementation

CPUS = os.environ.get("ATTNBENCH_TEST_CPUS")
"""A file that gets the number of CPUs on which each session of ONNX Runtime was made."""


@implementation(Limits(masks=("full",), dtypes=("float32",), biases=("none",), backward=False))
def with_onnxruntime(problem: Problem) -> Callable[..., Tensor]:
    names = ["q", "k", "v"]
    node = helper.make_node("Attention", names, ["out"], scale=problem.softmax_scale)
    ends = [
        helper.make_tensor_value_info(x, TensorProto.FLOAT, [None] * 4) for x in (*names, "out")
    ]
    graph = helper.make_graph([node], "attention", ends[:3], ends[3:])
    opset = [helper.make_opsetid("", 23)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    if CPUS:
        with Path(CPUS).open("a") as lines:
            lines.write(f"{len(os.sched_getaffinity(0))}\n")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        tensors = zip(names, (q, k, v), strict=True)
        return torch.from_numpy(session.run(None, {n: x.numpy() for n, x in tensors})[0])

    return call

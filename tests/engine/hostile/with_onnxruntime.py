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
"""A file that gets the CPUs of every thread after a call."""


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
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        tensors = zip(names, (q, k, v), strict=True)
        out = torch.from_numpy(session.run(None, {n: x.numpy() for n, x in tensors})[0])
        if CPUS:
            Path(CPUS).write_text("\n".join(sorted(map(_cpus, Path("/proc/self/task").iterdir()))))
        return out

    return call


def _cpus(thread: Path) -> str:
    lines = (thread / "status").read_text().splitlines()
    return next(x.split()[1] for x in lines if x.startswith("Cpus_allowed_list"))

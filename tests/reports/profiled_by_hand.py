"""A run with profiles that are made by hand: calls of 1 ms on a CPU, and one on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from suites.records.cases import Case
from suites.records.facts import SessionFacts
from suites.records.kernels import Kernel
from suites.records.profile import Node, Profile
from suites.stats.ceilings import Ceiling
from tests.saved_run import timed_run

PROBLEM = Problem.parse("h8 t512 d64 full fp32 cpu")
ON_GPU = Problem.parse("h8 t512 d64 full fp32 cuda")
LINE = "impls/mine.py:10 mine"
OTHER_LINE = "impls/mine.py:11 mine"
PRODUCT_FLOPS = 24e6
"""Of each product: in 0.4 ms, 60 % of the ceiling of 100 GFLOP/s."""


def node(parent: int, kind: Any, name: str, self_us: int = 0, **fields: Any) -> Node:
    """A node with its own time; total time is the same where it is not given."""
    fields = {"total_ns": self_us * 1000, "calls": 1, **fields}
    return Node(parent=parent, kind=kind, name=name, self_ns=self_us * 1000, **fields)


NODES = (
    node(-1, "call", "call", total_ns=1_000_000),
    node(0, "line", LINE, calls=0, total_ns=850_000),
    node(1, "python", "Python", 50, calls=3),
    node(1, "operator", "aten::matmul", 0, total_ns=400_000),
    node(3, "operator", "aten::bmm", 400, flops=PRODUCT_FLOPS, shapes="8x512x64 float32, 8x64x512"),
    node(1, "operator", "aten::bmm", 400, flops=PRODUCT_FLOPS, shapes="8x512x64 float32"),
    node(0, "line", OTHER_LINE, calls=0, total_ns=150_000),
    node(6, "operator", "aten::exp_", 100, bytes=1_000_000, shapes="8x512x512 float32"),
    node(6, "operator", "aten::copy_", 30, calls=2, bytes=900_000, shapes="8x64 float32"),
    node(6, "operator", "aten::view", 20),
)
"""80 % products, 10 % exp, 3 % copies at 150 % of 20 GB/s, 5 % Python, 2 % views."""
GPU_NODES = (
    node(-1, "call", "call", total_ns=1_000_000),
    node(0, "python", "Python", 100),
    node(0, "operator", "aten::bmm", 50, flops=PRODUCT_FLOPS, shapes="8x512x64 float32"),
    node(2, "kernel", "gemm", 600),
    node(0, "operator", "aten::exp_", 50, bytes=1_000_000, shapes="8x512x512 float32"),
    node(4, "kernel", "elementwise_kernel", 100),
    node(0, "kernel", "Memset", 50),
)
"""75 % of the call in kernels, 25 % idle; the host takes 20 % of it."""


def ceiling(kind: Any, value: float, device: str, dtype: str = "") -> Ceiling:
    """A ceiling of data in memory."""
    return Ceiling(kind=kind, dtype=dtype, residency="memory", value=value, device=device)


def profile(name: str = "chunked", **fields: Any) -> Profile:
    """A profile with a call tree; the profiler makes the call 10 % longer."""
    given: dict[str, Any] = {
        "problem": PROBLEM,
        "threads": 2,
        "plain_ms": (1.0, 1.1, 0.9),
        "profiled_ms": (1.1, 1.2, 1.0),
        "nodes": NODES,
        "kernels": (Kernel(name="aten::bmm", share=0.8, calls=2),),
        **fields,
    }
    return Profile(implementation=name, **given)


def profiled(
    *profiles: Profile, ms: float = 2.0, ceilings: Sequence[Ceiling] | None = None
) -> ProfiledRun:
    """A run that measured what is profiled, with the ceilings of its machine.

    ms        time of every call in the run
    ceilings  None: 100 GFLOP/s, 20 GB/s of a copy and 25 GB/s of a read, on both devices
    """
    problems = [each.problem for each in profiles]
    names = tuple(dict.fromkeys(each.implementation for each in profiles))
    cases = [Case(problem=each) for each in dict.fromkeys(problems)]
    run, records = timed_run(lambda *_: ms, cases, names=names)
    every = ceilings
    if every is None:
        every = [
            each
            for device in ("cpu", "cuda")
            for each in (
                ceiling("matmul", 1e11, device, "float32"),
                ceiling("copy", 2e10, device),
                ceiling("read", 2.5e10, device),
            )
        ]
    facts = tuple(
        SessionFacts(session=session, ceilings=tuple(every)) for session in run.plan.session_numbers
    )
    return ProfiledRun(Analysis(replace(run, facts=facts), records), profiles)

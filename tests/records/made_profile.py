"""A profile with a value in every field, for tests of the store and of its text."""

from __future__ import annotations

from typing import Any, Final

from impls.interface import Problem
from suites.records.kernels import Kernel
from suites.records.profile import Held, MemoryProfile, Node, Profile

PROBLEM: Final = Problem.parse("b1 h8/2 t1024 d64 causal bf16 train cpu")


def made(**fields: Any) -> Profile:
    """The profile, with other values in some fields."""
    values: dict[str, Any] = {
        "implementation": "chunked[block_q=64]",
        "problem": PROBLEM,
        "threads": 2,
        "plain_ms": (1.5, 1.25),
        "profiled_ms": (2.5, 2.0),
        "nodes": (
            Node(parent=-1, kind="call", name="call", calls=1, total_ns=2_000_000),
            Node(parent=0, kind="line", name="impls/chunked.py:102 forward", total_ns=1_500_000),
            Node(
                parent=1,
                kind="operator",
                name="aten::bmm",
                calls=3,
                total_ns=1_500_000,
                self_ns=1_400_000,
                flops=1e9 / 3,
                bytes=2**40,
                shapes="8x1024x64 bfloat16, 8x64x1024 bfloat16",
            ),
        ),
        "memory": MemoryProfile(
            kept_bytes=4,
            times_ns=(1000, 2000),
            changes=(2**40, -(2**40)),
            peak_bytes=2**40 + 4,
            peak_at=0,
            held=(Held(bytes=2**40, node=2, line=1, shape="8x1024x1024 float32"),),
            page_faults=1.4,
            resident_bytes=2**41,
        ),
        "kernels": (Kernel(name="aten::bmm", share=1.0, calls=3),),
        "compile_ms": 12.5,
        "no_lines": "",
        "files": ("chunked.trace.json",),
    }
    return Profile(**{**values, **fields})

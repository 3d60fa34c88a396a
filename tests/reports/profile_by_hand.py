"""Profiles made by hand of a small run: an implementation of two lines, and its baseline."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from suites.records.profile import Node, Profile
from tests.saved_run import PROBLEMS, two

PROBLEM = PROBLEMS[1]
LONGER = Problem.parse("h8 t512 full fp32 cpu")

NODES = (
    Node(parent=-1, kind="call", name="call", calls=1, total_ns=10_000_000),
    Node(parent=0, kind="line", name="impls/other.py:7 other", total_ns=7_000_000),
    Node(parent=1, kind="operator", name="aten::matmul", calls=2, total_ns=6_000_000, self_ns=10),
    Node(
        parent=2,
        kind="operator",
        name="aten::bmm",
        calls=2,
        total_ns=5_999_990,
        self_ns=5_999_990,
        flops=6e6,
        shapes="8x256x64 float32, 8x64x256 float32",
    ),
    Node(parent=1, kind="python", name="Python", calls=1, total_ns=1_000_000, self_ns=1_000_000),
    Node(parent=0, kind="line", name="impls/other.py:8 other", total_ns=3_000_000),
    Node(
        parent=5, kind="operator", name="aten::exp_", calls=1, total_ns=2_994_000, self_ns=2_994_000
    ),
    Node(parent=5, kind="operator", name="aten::view", calls=1, total_ns=4_000, self_ns=4_000),
    Node(parent=5, kind="operator", name="aten::slice", calls=1, total_ns=2_000, self_ns=2_000),
)
"""A call of 10 ms: 60 % in bmm, 30 % in exp_, 10 % in Python, and two tiny views."""


def profile(name: str = "other", problem: Problem = PROBLEM, *, scale: int = 1) -> Profile:
    """A profile with these nodes, whose times are multiplied."""
    nodes = tuple(
        replace(node, total_ns=scale * node.total_ns, self_ns=scale * node.self_ns)
        for node in NODES
    )
    return Profile(
        implementation=name,
        problem=problem,
        threads=2,
        plain_ms=(8.0 * scale,),
        profiled_ms=(10.0 * scale,),
        nodes=nodes,
        files=(f"{name}.trace.json",),
    )


def found(*profiles: Profile) -> ProfiledRun:
    """Profiles of a run in which `other` takes twice as long as `base`."""
    own = profiles or (profile("other"), profile("base"))
    return ProfiledRun(Analysis(*two(2.0)), tuple(own))

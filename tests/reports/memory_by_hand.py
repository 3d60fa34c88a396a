"""Profiles with memory made up in code: a call of 10 ms that holds 24 MiB at its peak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from suites.records.operator_kinds import ENGINE_NAME
from suites.records.profile import Held, MemoryProfile, Node, Profile
from suites.records.record import CHECK
from tests.saved_run import TWO, small_run

PROBLEM: Final = Problem.parse("b1 h8 t1024 d64 full fp32 cpu")
LONG: Final = Problem.parse("b1 h8 t2048 d64 full fp32 cpu")
MIB: Final = 2**20
NODES: Final = (
    Node(parent=-1, kind="call", name="call", calls=1, total_ns=10_000_000),
    Node(parent=0, kind="line", name="impls/mine.py:5 mine"),
    Node(parent=1, kind="operator", name="aten::bmm", calls=1),
    Node(parent=1, kind="operator", name="aten::clone", calls=2),
    Node(parent=3, kind="operator", name="aten::empty_strided", calls=2),
    Node(parent=0, kind="line", name="impls/mine.py:7 mine"),
    Node(parent=5, kind="operator", name=ENGINE_NAME, calls=1),
    Node(parent=6, kind="operator", name="aten::mul", calls=1),
    Node(parent=0, kind="operator", name="aten::empty", calls=1),
)
MEMORY: Final = MemoryProfile(
    kept_bytes=4 * MIB,
    times_ns=(1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 5_000_000, 9_000_000),
    changes=(8 * MIB, 2 * MIB, 2 * MIB, 7 * MIB, MIB - 8, 8, -8 * MIB),
    peak_bytes=24 * MIB,
    peak_at=5,
    held=(
        Held(bytes=8 * MIB, node=2, line=1, shape="8x512x512 float32"),
        Held(bytes=7 * MIB, node=7, line=5, shape="7x512x512 float32"),
        Held(bytes=2 * MIB, node=4, line=1, shape="2x512x512 float32"),
        Held(bytes=2 * MIB, node=4, line=1, shape="2x512x512 float32"),
        Held(bytes=MIB - 8, node=8),
        Held(bytes=8),
    ),
    page_faults=12.5,
    resident_bytes=64 * MIB,
)


def profile(name: str = "base", problem: Problem = PROBLEM, **fields: Any) -> Profile:
    """A profile of an implementation; fields as of `Profile`."""
    values: dict[str, Any] = {"nodes": NODES, "memory": MEMORY, **fields}
    return Profile(implementation=name, problem=problem, threads=2, **values)


def profiled(*profiles: Profile, **record: Any) -> ProfiledRun:
    """A run of `base` and `other` with profiles.

    record  fields of the records of the check
    """
    run, records = small_run(problems=(PROBLEM, LONG), sessions=1, made=TWO)
    changed = [replace(each, **record) if each.session == CHECK else each for each in records]
    return ProfiledRun(Analysis(run, changed), profiles)

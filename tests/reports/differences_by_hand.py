"""Pairs of profiles made by hand: two of several operators, and one of a single kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from suites.records.cases import Case
from suites.records.profile import Held, MemoryProfile, Node, Profile
from tests.reports.profiled_by_hand import PROBLEM, node
from tests.saved_run import timed_run

MIB: Final = 2**20
EAGER: Final = {
    ("impls/mine.py:10 mine", "aten::bmm"): 300,
    ("impls/mine.py:11 mine", "aten::exp_"): 400,
    ("impls/mine.py:11 mine", "aten::sub_"): 200,
    ("impls/mine.py:12 mine", "aten::mul"): 100,
    ("impls/mine.py:12 mine", "aten::view"): 2,
    ("impls/mine.py:12 mine", "aten::slice"): 1,
}
"""A call of 1.003 ms: microseconds by line and operator."""
OTHER_EAGER: Final = {
    ("impls/yours.py:5 yours", "aten::bmm"): 250,
    ("impls/yours.py:6 yours", "aten::exp"): 100,
    ("impls/yours.py:7 yours", "aten::copy_"): 153,
}
"""A call of 0.503 ms."""
FUSED: Final = {
    ("impls/sdpa.py:206 _sdpa", "aten::_scaled_dot_product_flash_attention_for_cpu"): 200,
    ("impls/sdpa.py:206 _sdpa", "aten::empty"): 3,
}
"""A call of 0.203 ms in one kernel."""


def call_tree(took_us: Mapping[tuple[str, str], int]) -> tuple[Node, ...]:
    """The nodes of a call: each line with its operators."""
    total = sum(took_us.values())
    nodes = [node(-1, "call", "call", total_ns=1000 * total)]
    lines: dict[str, int] = {}
    for (line, name), own_us in took_us.items():
        if line not in lines:
            lines[line] = len(nodes)
            nodes.append(node(0, "line", line, calls=0))
        nodes.append(node(lines[line], "operator", name, own_us))
    return tuple(nodes)


def profile(
    name: str,
    took_us: Mapping[tuple[str, str], int] = EAGER,
    problem: Problem = PROBLEM,
    **fields: Any,
) -> Profile:
    """A profile of these operators."""
    given: dict[str, Any] = {
        "threads": 2,
        "plain_ms": (1.0,),
        "profiled_ms": (1.1,),
        "nodes": call_tree(took_us),
        **fields,
    }
    return Profile(implementation=name, problem=problem, **given)


def memory(*held: tuple[int, int, str], kept_bytes: int = 0) -> MemoryProfile:
    """Memory held at the peak: bytes, the node of the operator, and the shape."""
    peak = kept_bytes + sum(size for size, _, _ in held)
    return MemoryProfile(
        kept_bytes=kept_bytes,
        peak_bytes=peak,
        held=tuple(Held(bytes=size, node=at, line=1, shape=shape) for size, at, shape in held),
    )


def compared(own: Profile, other: Profile, ms: Callable[[Problem, str, int], float]) -> ProfiledRun:
    """A run of both, whose baseline is the second one.

    ms  of a call, by problem, implementation and session
    """
    return several([own, other], ms, baseline=other.implementation)


def several(
    profiles: list[Profile], ms: Callable[[Problem, str, int], float], *, baseline: str
) -> ProfiledRun:
    """A run of all that is profiled."""
    cases = [Case(problem=each) for each in dict.fromkeys(p.problem for p in profiles)]
    others = [each.implementation for each in profiles if each.implementation != baseline]
    run, records = timed_run(ms, cases, names=tuple(dict.fromkeys((baseline, *others))))
    return ProfiledRun(Analysis(run, records), tuple(profiles))


def times(**by_name: float) -> Callable[[Problem, str, int], float]:
    """The same time in every session but for 0.1 %, in which the implementations differ, too."""
    names = sorted(by_name)
    return lambda _, name, session: (
        by_name[name] * (1 + 0.001 * ((session + names.index(name)) % 3 - 1))
    )

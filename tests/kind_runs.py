"""Runs of one group on three kinds of machine, made up in code: another one is fastest on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from impls.interface import Limits, Problem
from suites.records.cases import Case
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import MACHINE, facts, timed_run

GROUP: Final = "quick-3"
AMD, H200, ARM = KINDS = ("amd-epyc", "nvidia-h200", "arm")
NAMES: Final = ("sdpa_flash", "chunked", "naive")
SIZES: Final = ("h8 t256 causal", "h8 t512 causal", "h8 t1024 causal", "h4 t512 full")
GPU: Final = {
    "cpu": "Xeon 8480C",
    "cores": 16,
    "devices": [
        {"device": "cpu", "name": "Xeon 8480C"},
        {"device": "cuda", "name": "Example H200", "memory_bytes": 150 * 2**30},
    ],
}
_MS: Final = {
    AMD: {"sdpa_flash": 1.0, "chunked": 2.0, "naive": 5.0},
    H200: {"sdpa_flash": 0.25, "chunked": 0.125, "naive": 0.5},
    ARM: {"sdpa_flash": 4.0, "chunked": 4.0, "naive": 9.0},
}
"""Milliseconds at 1024 tokens and 8 heads; the time grows as the square of the length."""
_OFF: Final = (1.0, 1.002, 0.998, 1.001, 0.999)
"""How far a session is off, another one by implementation: ratios differ by session."""

Stored = tuple[Run, list[Record]]


def group() -> list[Stored]:
    """The run on AMD and on H200: sdpa_flash wins there, chunked here."""
    return [
        on(AMD, "cpu", machine={"cpu": "AMD EPYC 9004"}, hosts=("node-1", "node-2")),
        on(H200, "cuda", machine=GPU, hosts=("gpu-1",)),
    ]


def three() -> list[Stored]:
    """The same with ARM, where sdpa_flash and chunked are not distinguished, and one size more."""
    more = (*SIZES, "h8 t2048 causal")
    return [*group(), on(ARM, "cpu", machine={"cpu": "Neoverse V2"}, sizes=more)]


def on(
    kind: str,
    device: str,
    *,
    machine: Mapping[str, Any],
    hosts: tuple[str, ...] = ("",),
    sizes: tuple[str, ...] = SIZES,
) -> Stored:
    """The run of the group on one kind of machine; its sessions are of these hosts in turn."""
    cases = [Case(problem=Problem.parse(f"{size} fp32 {device}")) for size in sizes]
    run, records = timed_run(_times(kind), cases, names=NAMES)
    entries = tuple(Entry(name=name, limits=(Limits(),)) for name in NAMES)
    plan = replace(run.plan, entries=entries, cases=())
    return (
        replace(
            run,
            name=f"{GROUP}@{kind}",
            plan=plan,
            machine={**MACHINE, "devices": [], **machine},
            facts=facts(plan) if device == "cpu" else (),
        ),
        [replace(each, host=hosts[each.session % len(hosts)]) for each in records],
    )


def _times(kind: str) -> Callable[[Problem, str, int], float]:
    def ms(problem: Problem, name: str, session: int) -> float:
        size = problem.query_heads * problem.query_length**2 / (8 * 1024**2)
        off = _OFF[(session + NAMES.index(name)) % len(_OFF)]
        return _MS[kind][name] * size * off * (1 + session / 97)

    return ms

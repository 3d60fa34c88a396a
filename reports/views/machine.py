"""The machine, the sessions and the settings of a run as names and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from impls.interface import Problem
from reports.rows import sessions
from reports.rows.answers import devices_beside_cpu
from reports.rows.sessions import clock_resolution_ms, median_ceilings
from reports.views.numbers import percent, three_digits
from reports.views.nvidia import nvidia_facts, nvidia_session_facts
from reports.views.text import counted, duration, moment
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.settings import labelling
from suites.records.store import Run
from suites.stats.ceilings import Ceiling

ABSENT: Final = "not recorded"
NO_GPU: Final = "no implementation of this run ran on a GPU"
_KNOWN: Final = (
    "cpu",
    "cores",
    "memory_bytes",
    "devices",
    "nvidia",
    "other_devices",
    "threads",
    "allocator",
    "os",
    "python",
    "attnbench",
    "versions",
)
"""Facts with a place of their own; other recorded facts follow under their own names."""

Facts = list[tuple[str, str]]
"""Names and values."""


def facts(run: Run, records: Iterable[Record]) -> Facts:
    """What a reader needs to judge the run; `not recorded` where there is no value."""
    plan = run.plan
    devices = devices_beside_cpu(run, records)
    gpu = f"implementations of this run ran on {', '.join(devices)}" if devices else NO_GPU
    return [
        *machine_facts(run.machine, threads=max(plan.threads)),
        ("GPU", gpu),
        *session_facts(run),
        *settings(plan),
        *_hot_inputs(records),
        ("time limit", f"{plan.time_limit_s:g} s for one implementation on one problem"),
        ("limit of preparing", f"{plan.prepare_limit_s:g} s besides"),
        *_memory_limits(plan),
        ("seed", str(plan.seed)),
        ("started", moment(run.started)),
        ("ended", moment(run.ended) or ABSENT),
    ]


def _hot_inputs(records: Iterable[Record]) -> Facts:
    """Where hot calls on a GPU find their inputs; no line without such calls."""
    found: dict[str, set[Problem]] = {}
    for record in records:
        found.setdefault(record.inputs_from, set()).add(record.problem)
    words = {"memory": "from memory", "L2": "from the L2 cache"}
    said = [
        f"{text} on {counted(len(found[place]), 'problem')}"
        for place, text in words.items()
        if place in found
    ]
    return [("inputs of hot calls on a GPU", ", ".join(said))] if said else []


def _memory_limits(plan: Plan) -> Facts:
    """The bytes that one call may add, by where the problems of the run are."""
    limits = {problem.device: plan.memory_limit_on(problem.device) for problem in plan.problems}
    sizes = dict.fromkeys(limits.values())
    if len(sizes) == 1:
        return [("memory limit", f"{gibibytes(next(iter(sizes)))} that one call may add")]
    return [
        (f"memory limit on {device}", f"{gibibytes(limit)} that one call may add")
        for device, limit in limits.items()
    ]


def settings(plan: Plan) -> Facts:
    """The settings that change figures."""
    numbers = ", ".join(map(str, plan.threads))
    precision = f"{percent(plan.precision)} requested" if plan.precision else "none requested"
    return [
        ("baseline", baselines_of(plan)),
        ("delta", f"{percent(plan.delta)}: smaller differences do not count"),
        ("precision", precision),
        *(
            (f"{option.title} setting", option.shown(value))
            for field, option in labelling().items()
            if (value := getattr(plan, field)) or option.default
        ),
        ("threads requested", f"{numbers}, in turn" if len(plan.threads) > 1 else numbers),
    ]


def baselines_of(plan: Plan) -> str:
    """`sdpa_flash on cpu, sdpa_cudnn or sdpa_efficient on cuda`; of one device the name alone."""
    found = {device: " or ".join(names) for device, names in plan.wanted_baselines.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    named = ", ".join(f"{names} on {device}" for device, names in found.items())
    return named or "the first in the plan that has times"


def machine_facts(machine: Mapping[str, Any], *, threads: int | None = None) -> Facts:
    """The facts of a machine; `threads` is used where it has none."""
    memory = machine.get("memory_bytes")
    return [
        ("CPU", text(machine.get("cpu"))),
        ("cores", text(machine.get("cores"))),
        ("memory", gibibytes(memory) if isinstance(memory, int) else ABSENT),
        *_devices(machine.get("devices")),
        *nvidia_facts(machine),
        ("threads", text(machine.get("threads", threads))),
        ("allocator", text(machine.get("allocator"))),
        ("system", text(machine.get("os"))),
        ("Python", text(machine.get("python"))),
        ("attnbench", text(machine.get("attnbench"))),
        *_versions(machine.get("versions")),
        *((name.replace("_", " "), text(machine[name])) for name in machine if name not in _KNOWN),
    ]


def session_facts(run: Run) -> Iterator[tuple[str, str]]:
    """Measured ceilings, CPUs and clock of the sessions; faults of facts that cannot be read."""
    for each in median_ceilings(run):
        kind = " ".join(filter(None, [each.kind, each.dtype]))
        yield f"measured {kind} in {each.residency}", f"{ceiling_rate(each)} on {each.device}"
    yield from nvidia_session_facts(run)
    if bound := sorted({fact.affinity for fact in run.facts if fact.affinity}):
        yield "CPUs of sessions", " or ".join(", ".join(map(str, own)) for own in bound)
    step = clock_resolution_ms(run)
    if step is not None:
        yield "clock resolution", f"{three_digits(step * 1e6)} ns"
    for fact in run.facts:
        if fact.fault:
            yield f"session {fact.session}", f"its facts cannot be read: {fact.fault}"


def ceiling_rate(ceiling: Ceiling) -> str:
    """The rate of a ceiling with its unit."""
    unit = "GFLOP/s" if ceiling.kind == "matmul" else "GB/s"
    return f"{three_digits(ceiling.value / 1e9)} {unit}"


def stamp(run: Run) -> str:
    """Machine, date and versions on one line, for a chart that leaves its page."""
    cores, made = run.machine.get("cores"), run.machine.get("versions")
    versions = made if isinstance(made, Mapping) else {}
    parts = (
        str(run.machine.get("cpu") or "machine not recorded"),
        counted(cores, "core") if isinstance(cores, int) else "",
        *(
            name
            for device, name in _devices(run.machine.get("devices"))
            if device not in ("device cpu", "devices")
        ),
        moment(run.started)[:10],
        f"attnbench {run.machine.get('attnbench') or ABSENT}",
        f"torch {versions.get('torch') or ABSENT}",
    )
    return ", ".join(part for part in parts if part)


def inside_calls(run: Run, records: Iterable[Record]) -> str:
    """The share of wall time inside calls: 63 % of 20 min 17 s inside calls of ..."""
    share = sessions.share_inside_calls(run, records)
    if share is None:
        return ""
    wall = duration(sessions.wall_s(run))
    return f"{percent(share)} of {wall} inside calls of implementations"


def gibibytes(count: float) -> str:
    """Bytes as GiB, with the unit."""
    return f"{count / 2**30:.3g} GiB"


def text(value: Any) -> str:
    """The text of a fact; `not recorded` without one."""
    return ABSENT if value in (None, "") else str(value)


def _devices(devices: Any) -> Iterator[tuple[str, str]]:
    if not devices:
        yield "devices", ABSENT
        return
    for each in devices:
        memory = each.get("memory_bytes")
        parts = [str(part) for part in each.get("capability") or ()]
        size = f", {gibibytes(memory)}" if isinstance(memory, int) else ""
        version = f", compute capability {'.'.join(parts)}" if parts else ""
        yield f"device {each.get('device', '?')}", text(each.get("name")) + size + version


def _versions(versions: Any) -> Iterator[tuple[str, str]]:
    if not versions:
        yield "versions", ABSENT
        return
    for name, version in versions.items():
        yield str(name), str(version) if version else "not installed"

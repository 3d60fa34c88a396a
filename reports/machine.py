"""The machine a run was made on, as facts in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reports import sessions
from reports.judging.verdict_words import percent
from reports.tables import answers, parsed
from reports.words import moment
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run

ABSENT: Final = "not recorded"
_KNOWN: Final = (
    "cpu",
    "cores",
    "memory_bytes",
    "devices",
    "threads",
    "allocator",
    "os",
    "python",
    "attnbench",
    "versions",
)
"""What has a place of its own; anything else that was recorded follows under its own name."""
NO_GPU: Final = "no implementation of this run ran on a GPU"


def facts(run: Run, records: Iterable[Record]) -> list[tuple[str, str]]:
    """What a reader needs to judge the run: name and value, `not recorded` where there is none."""
    plan = run.plan
    return [
        *machine_facts(run.machine, threads=max(plan.threads)),
        ("GPU", _gpu(run, records)),
        *sessions.facts(run),
        *settings(plan),
        ("time limit", f"{plan.time_limit_s:g} s for one implementation on one problem"),
        ("memory limit", f"{_gibibytes(plan.memory_limit)} that one call may add"),
        ("seed", str(plan.seed)),
        ("started", moment(run.started)),
        ("ended", moment(run.ended) or ABSENT),
    ]


def settings(plan: Plan) -> list[tuple[str, str]]:
    """How the figures were obtained: what may be set for a run and changes them."""
    numbers = ", ".join(map(str, plan.threads))
    return [
        ("baseline", plan.baseline or "the first in the plan that answers"),
        ("delta", f"{percent(plan.delta)}: from there on a difference counts"),
        ("precision", f"{percent(plan.precision)} asked for" if plan.precision else "none asked"),
        ("cache", plan.cache),
        ("allocator setting", plan.allocator),
        ("threads asked", f"{numbers}, in turn" if len(plan.threads) > 1 else numbers),
    ]


def machine_facts(
    machine: Mapping[str, Any], *, threads: int | None = None
) -> list[tuple[str, str]]:
    """A machine as names and values; `threads` stands in where it tells none."""
    cores, memory = machine.get("cores"), machine.get("memory_bytes")
    return [
        ("CPU", _text(machine.get("cpu"))),
        ("cores", _text(cores)),
        ("memory", _gibibytes(memory) if isinstance(memory, int) else ABSENT),
        *_devices(machine.get("devices")),
        ("threads", _text(machine.get("threads", threads))),
        ("allocator", _text(machine.get("allocator"))),
        ("system", _text(machine.get("os"))),
        ("Python", _text(machine.get("python"))),
        ("attnbench", _text(machine.get("attnbench"))),
        *_versions(machine.get("versions")),
        *((name.replace("_", " "), _text(machine[name])) for name in machine if name not in _KNOWN),
    ]


def _devices(devices: Any) -> Iterator[tuple[str, str]]:
    if not devices:
        yield "devices", ABSENT
        return
    for each in devices:
        memory = each.get("memory_bytes")
        parts = [str(part) for part in each.get("capability") or ()]
        size = f", {_gibibytes(memory)}" if isinstance(memory, int) else ""
        version = f", compute capability {'.'.join(parts)}" if parts else ""
        yield f"device {each.get('device', '?')}", _text(each.get("name")) + size + version


def _versions(versions: Any) -> Iterator[tuple[str, str]]:
    if not versions:
        yield "versions", ABSENT
        return
    for name, version in versions.items():
        yield str(name), str(version) if version else "not installed"


def ran_on(run: Run, records: Iterable[Record]) -> list[str]:
    """The devices other than the CPU on which anything that was planned was answered."""
    answered = {
        parsed(problem).device
        for (problem, _), found in answers(run, records).items()
        if any(record.status == "ok" for record in found)
    }
    return sorted(answered - {"cpu"})


def _gpu(run: Run, records: Iterable[Record]) -> str:
    ran = ran_on(run, records)
    return f"implementations of this run ran on {', '.join(ran)}" if ran else NO_GPU


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"


def _text(value: Any) -> str:
    return ABSENT if value in (None, "") else str(value)

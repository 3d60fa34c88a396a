"""The section of a profile's page: hardware counters of a call, by `perf stat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.numbers import three_digits
from reports.views.sections import Row, Section, Table, Value
from suites.records.perf_counters import PerfCounters
from suites.records.profile import Profile

WORDS: Final = {
    "instructions": "instructions",
    "cycles": "cycles",
    "cache_references": "cache references",
    "cache_misses": "cache misses",
    "dtlb_load_misses": "data TLB load misses",
    "itlb_load_misses": "instruction TLB load misses",
    "task_clock_ms": "CPU time, ms",
    "page_faults": "page faults",
    "context_switches": "context switches",
    "cpu_migrations": "CPU migrations",
}
"""The counters in the order of the table; the last four are counted by the system."""
PER_CYCLE: Final = "instructions per cycle"
_USER: Final = "The work of the kernel for the process is not counted."
_SCALED: Final = (
    "The processor has fewer counters than there are events: some ran for {0:.0%} of the calls, "
    "and perf scaled their counts."
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where perf was not asked."""
    counted = [each for each in found.profiles if each.counters is not None]
    if not counted:
        return []
    with_values = [each for each in counted if each.counters and each.counters.values]
    return [
        Section(
            id="counters",
            heading="Hardware counters",
            sentences=tuple(dict.fromkeys(_sentences(counted))),
            tables=(_table(with_values),) if with_values else (),
        )
    ]


def _sentences(counted: Sequence[Profile]) -> list[str]:
    """The counters that are not in the table, with the reason."""
    said = []
    for found in (each.counters for each in counted if each.counters):
        if found.reason:
            said.append(_sentence(found.reason))
        said += [_sentence(line) for line in absent(found)]
        if found.user_only and found.values:
            said.append(_USER)
        if found.least_counted is not None and found.least_counted < 1:
            said.append(_SCALED.format(found.least_counted))
    return said


def absent(found: PerfCounters) -> list[str]:
    """The counters without a value, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.absent.items():
        by_reason.setdefault(reason, []).append(WORDS.get(name, name).removesuffix(", ms"))
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _table(profiles: Sequence[Profile]) -> Table:
    columns = [each.counters.values for each in profiles if each.counters]
    names = [name for name in WORDS if any(name in values for values in columns)]
    rows = [_row(WORDS[name], [values.get(name) for values in columns]) for name in names]
    if any(_per_cycle(values) is not None for values in columns):
        rows.append(_row(PER_CYCLE, list(map(_per_cycle, columns))))
    several = len({each.problem for each in profiles}) > 1
    head = [f"{p.implementation} on {p.problem}" if several else p.implementation for p in profiles]
    return Table("of one call, all threads", ("counter", *head), tuple(rows))


def _per_cycle(values: dict[str, float]) -> float | None:
    cycles, instructions = values.get("cycles"), values.get("instructions")
    return instructions / cycles if cycles and instructions is not None else None


def _row(name: str, values: Sequence[float | None]) -> Row:
    cells = (Value("not counted") if v is None else Value(_count(v), v) for v in values)
    return Row((Value(name), *cells))


def _count(value: float) -> str:
    """As 41,200,312; below a thousand with three digits."""
    return f"{value:,.0f}" if value >= 1000 else three_digits(value)

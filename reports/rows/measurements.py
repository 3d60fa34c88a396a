"""Measurements: one row for each problem, implementation and number of threads with times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from reports.rows.answers import answers, with_times
from reports.rows.columns import PROBLEM_COLUMNS, columns, problem_columns
from reports.rows.evidence import Evidence, evidence
from reports.rows.kernels import kernel_names, kernels_of, same_kernels
from reports.rows.panels import panel_on
from reports.rows.sessions import ceilings
from reports.rows.timings import by_threads, timing
from suites.records.kernels import Kernel
from suites.records.plan import Plan
from suites.records.record import CHECK, HOST_BOUND, Record
from suites.records.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The figures of one problem, implementation and number of threads; None: not measured.

    samples, disturbed   rounds of all sessions, and how many of them were disturbed
    median_ms            the median of the session medians, of the rounds that count
    low_ms, high_ms      the spread over sessions: the smallest and the largest session median
    us_per_token         microseconds of a call over the queries of all batch rows
    prepare_ms, first_call_ms, compilations, compile_ms, set_up_bytes, neighbour_ratio,
    page_faults, host_ms, unhidden, sustained_ms, energy_mj, cross_check_ms
                         medians over the sessions
    share_of_attainable  median over the sessions of the share of their own ceilings
    checked_again        whether the output was compared again, because the time was beyond what
                         the machine can reach
    peak_bytes, kept_bytes, resident_bytes
                         of the check, which runs with the largest number of threads; None in
                         rows of smaller numbers
    unseen               why requested bytes are not known; empty when they are, or not measured
    operator             the kernel that a library picked
    process              of its sessions, where it is not the first one
    kernels              that one call of the check ran; empty where none was seen
    fallback             the slow path that ran although none was requested; empty: none
    same_kernel          the implementation that ran the same kernel; empty: none, or it is the
                         first of those that did
    notes                how its calls differ from those of others; one text
    case                 the labels of the problem's cases; empty for a problem without one
    """

    problem: Problem
    implementation: str
    panel: str
    threads: int
    sessions: int
    samples: int
    disturbed: int | None
    median_ms: float
    low_ms: float
    high_ms: float
    us_per_token: float
    prepare_ms: float | None
    first_call_ms: float | None
    compilations: float | None
    compile_ms: float | None
    set_up_bytes: float | None
    neighbour_ratio: float | None
    page_faults: float | None
    share_of_attainable: float | None
    clock: str
    host_ms: float | None
    unhidden: float | None
    sustained_ms: float | None
    energy_mj: float | None
    cross_check_ms: float | None
    checked_again: bool
    peak_bytes: int | None
    kept_bytes: int | None
    resident_bytes: int | None
    unseen: str
    evidence: Evidence
    operator: str
    process: str = ""
    kernels: tuple[Kernel, ...] = ()
    fallback: str = ""
    same_kernel: str = ""
    notes: str = ""
    case: str = ""

    @property
    def host_bound(self) -> bool:
        """Whether its times are launch times of the host, not times of the device."""
        return (self.unhidden or 0) > HOST_BOUND


_LAST: Final = ("operator", "kernels", "fallback", "same_kernel", "notes")
CASE: Final = "case"
"""The column that only tables of runs with labelled cases have."""
_EVIDENCE: Final = (
    "relative_error", "own_error", "worst_row", "cosine", "slope", "repeatable", "hard_inputs",
)  # fmt: skip
MEASUREMENT_COLUMNS: Final = (
    "problem",
    "implementation",
    *PROBLEM_COLUMNS,
    *(
        field
        for field in Measurement.__dataclass_fields__
        if field not in ("problem", "implementation", "evidence", CASE, *_LAST)
    ),
    "share_of_bound",
    *_EVIDENCE,
    *_LAST,
)
"""The columns of `measurement_columns`."""


def measurements(run: Run, records: Iterable[Record]) -> list[Measurement]:
    """The rows of a run, in the plan's order.

    A pair with a record that is not ok, in any session, has no row.
    """
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    best, most = ceilings(run), max(run.plan.threads)
    every = answers(run, records)
    timed_pairs = {pair: found for pair, found in every.items() if with_times(found)}
    same = same_kernels(run.plan, timed_pairs)
    cases = {each: "; ".join(run.plan.case_labels(each)) for each in run.plan.problems}
    return [
        Measurement(
            problem=problem,
            implementation=name,
            panel=panel_on(panels[name], problem.model),
            threads=threads,
            **timing(problem, timed, best, panel_on(panels[name], problem.model)),
            **_memory(found if threads == most else []),
            unseen=next((r.unseen for r in found if r.unseen and threads == most), ""),
            evidence=evidence(found, panels[name]),
            process=next((r.process for r in timed if r.process), ""),
            operator=next((r.operator for r in (*timed, *found) if r.operator), ""),
            kernels=kernels_of(found),
            fallback=next((r.fallback for r in found if r.fallback), ""),
            same_kernel=same.get((problem, name), ""),
            notes="; ".join(dict.fromkeys(note for r in (*found, *timed) for note in r.notes)),
            case=cases[problem],
        )
        for (problem, name), found in timed_pairs.items()
        for threads, timed in by_threads(run.plan, with_times(found)).items()
    ]


def measurement_columns(row: Measurement) -> dict[str, Any]:
    """A row as columns, with those of its problem; the share of the gate as share_of_bound.

    Kernels are their names.
    """
    named = {"share_of_bound": row.evidence.share, "kernels": kernel_names(row.kernels)}
    found = {**columns(row), **problem_columns(row.problem), **named}
    return {name: found[name] for name in MEASUREMENT_COLUMNS}


def measurement_head(plan: Plan) -> tuple[str, ...]:
    """The columns of a run's measurements: with the labels of cases, where it has any."""
    labelled = any(case.label for case in plan.cases)
    return (*MEASUREMENT_COLUMNS, CASE) if labelled else MEASUREMENT_COLUMNS


def measured_columns(plan: Plan, rows: Iterable[Measurement]) -> list[dict[str, Any]]:
    """The rows as `measurement_columns`, with the columns of `measurement_head`."""
    if CASE not in measurement_head(plan):
        return list(map(measurement_columns, rows))
    return [{**measurement_columns(row), CASE: row.case} for row in rows]


def _memory(found: Sequence[Record]) -> dict[str, int | None]:
    check = next((record for record in found if record.session == CHECK), None)
    names = ("peak_bytes", "kept_bytes", "resident_bytes")
    return {name: getattr(check, name) if check else None for name in names}

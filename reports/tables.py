"""Records to tidy tables: what was measured, how each answer ended, what has no time and why."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import pandas as pd

from impls.interface import Problem
from reports.panels import APPROXIMATIONS
from reports.timings import TIMING_COLUMNS, by_threads, ceilings, timing
from reports.words import RUN_ENDED, STATUS_WORDS, UNREACHED
from suites.engine.forecast import BUDGET
from suites.records.record import CHECK, Record
from suites.records.store import Run

PROBLEM_COLUMNS: Final = (
    "batch",
    "query_heads",
    "key_heads",
    "query_length",
    "key_length",
    "head_dim",
    "mask",
    "bias",
    "dtype",
    "device",
    "pass",
)
EVIDENCE_COLUMNS: Final = ("worst_row", "cosine", "slope", "repeatable", "hard_inputs")
MEASUREMENT_COLUMNS: Final = (
    "problem",
    "implementation",
    *PROBLEM_COLUMNS,
    "panel",
    "threads",
    *TIMING_COLUMNS,
    "peak_bytes",
    "kept_bytes",
    "resident_bytes",
    "share_of_bound",
    "relative_error",
    *EVIDENCE_COLUMNS,
    "operator",
)
OUTCOME_COLUMNS: Final = (
    "problem",
    "implementation",
    "panel",
    "status",
    "reason",
    "share",
    "relative_error",
    "rows_checked",
    "readout",
    *EVIDENCE_COLUMNS,
    "timed",
)
NOT_MEASURED_COLUMNS: Final = ("implementation", "status", "reason", "count", "problems")
_GRAVEST_FIRST: Final = tuple(STATUS_WORDS)
_WHOLE_NUMBERS: Final = (
    "peak_bytes",
    "kept_bytes",
    "resident_bytes",
    "rows_checked",
    "threads",
    "sessions",
    "samples",
    "disturbed",
    "hard_inputs",
)
_SIZES: Final = (
    "batch",
    "query_heads",
    "key_heads",
    "query_length",
    "key_length",
    "head_dim",
)
_ALWAYS_KNOWN: Final = ("median_ms", "low_ms", "high_ms")
_FIGURES: Final = (
    "first_call_ms",
    "page_faults",
    "share_of_attainable",
    "host_ms",
    "sustained_ms",
    "cross_check_ms",
    "share_of_bound",
    "worst_row",
    "cosine",
    "slope",
)


def measurements(run: Run, records: Iterable[Record]) -> pd.DataFrame:
    """One row per problem, implementation and threads with times, as in MEASUREMENT_COLUMNS.

    samples, disturbed   rounds of all sessions, of which so many did not count as quiet
    median_ms            the median of the session medians, of the rounds that count
    low_ms, high_ms      the spread over sessions: the smallest and largest session median
    first_call_ms, page_faults, host_ms, sustained_ms, cross_check_ms
                         medians over the sessions
    share_of_attainable  the same of the part that each session reached of its own ceilings
    checked_again        whether a time beyond what the machine can do had its answer compared anew
    peak_bytes, kept_bytes, resident_bytes
                         from the check, which has the most threads: None with fewer
    share_of_bound       the worst agreement that any session found; None for approximations
    relative_error       RMS(error) / RMS(reference) of the output, at worst
    worst_row            the same of the worst row of any tensor that was compared
    cosine               of the angle between a tensor and its reference, the smallest
    slope                in half precision: how far the scale lies off, relative, the largest
    repeatable           whether a second call on the same inputs gave the same bits
    hard_inputs          hard inputs of small sizes that were answered right

    A pair with a record that is not ok, in any session, has no row here.
    """
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    best, most = ceilings(run), max(run.plan.threads)
    rows = (
        {
            "problem": problem,
            "implementation": name,
            **problem_columns(problem),
            "panel": panels[name],
            "threads": threads,
            **timing(parsed(problem), timed, best, panels[name]),
            **_checked(found if threads == most else []),
            **_agreement(found, panels[name]),
            "operator": next((r.operator for r in (*timed, *found) if r.operator), ""),
        }
        for (problem, name), found in answers(run, records).items()
        for threads, timed in by_threads(run.plan, with_times(found)).items()
    )
    return _frame(rows, MEASUREMENT_COLUMNS)


def with_most_threads(run: Run, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of `measurements`' rows that have the plan's largest number of threads."""
    return [row for row in rows if row["threads"] == max(run.plan.threads)]


def outcomes(run: Run, records: Iterable[Record]) -> pd.DataFrame:
    """One row per planned problem and implementation; columns as in OUTCOME_COLUMNS.

    status  of the gravest record as `shown_status` has it, `not_reached` without one
    share   the part of what the agreement gate allows that was used; None for approximations,
            which are not judged by it: their relative_error says how far they lie from attention
    timed   whether there are times that stand

    The columns of EVIDENCE_COLUMNS are those of `measurements`.
    """
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    rows = (
        {
            "problem": problem,
            "implementation": name,
            "panel": panels[name],
            **_ending(found),
            **_evidence(found, panels[name]),
            "timed": bool(with_times(found)),
        }
        for (problem, name), found in answers(run, records).items()
    )
    return _frame(rows, OUTCOME_COLUMNS)


def not_measured(run: Run, records: Iterable[Record]) -> pd.DataFrame:
    """What was planned and has no time; columns as in NOT_MEASURED_COLUMNS.

    One row per implementation, status and reason, with how many problems and which; the gravest
    status first. A run without timed sessions lists only what does not agree.
    """
    return without_time(run, rows_of(outcomes(run, records)))


def without_time(run: Run, outcome_rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """What `not_measured` tells, from the rows of `outcomes`."""
    lacking: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in outcome_rows:
        status, reason = row["status"], row["reason"]
        if row["timed"] or (status == "ok" and run.plan.sessions == 0):
            continue
        if status == "ok":
            status, reason = UNREACHED, RUN_ENDED
        lacking[row["implementation"], status, reason].append(row["problem"])
    rows = (
        (name, status, reason, len(problems), tuple(problems))
        for (name, status, reason), problems in lacking.items()
    )
    place = {entry.name: index for index, entry in enumerate(run.plan.entries)}
    ordered = sorted(rows, key=lambda row: (_GRAVEST_FIRST.index(row[1]), place[row[0]]))
    return pd.DataFrame(ordered, columns=list(NOT_MEASURED_COLUMNS), dtype=object)


def answers(run: Run, records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Every planned (problem, implementation), in the plan's order, with its records."""
    found: dict[tuple[str, str], list[Record]] = {
        (problem, entry.name): [] for problem in run.plan.problems for entry in run.plan.entries
    }
    for record in records:
        if (pair := (record.problem, record.implementation)) in found:
            found[pair].append(record)
    return found


def shown_status(record: Record) -> str:
    """How an answer ended: what a budget left out was not reached, and says nothing of its time."""
    left_out = record.status == "timed_out" and record.reason.endswith(BUDGET)
    return UNREACHED if left_out else record.status


def with_times(found: Iterable[Record]) -> list[Record]:
    """The records of a pair that carry times; none when any of the pair's is not ok."""
    found = list(found)
    if any(record.status != "ok" for record in found):
        return []
    return [record for record in found if record.times_ms]


def problem_columns(text: str) -> dict[str, Any]:
    """A printed problem as columns."""
    problem = parsed(text)
    return {
        "batch": problem.batch,
        "query_heads": problem.query_heads,
        "key_heads": problem.key_heads,
        "query_length": problem.query_length,
        "key_length": problem.key_length,
        "head_dim": problem.head_dim,
        "mask": str(problem.mask),
        "bias": str(problem.bias),
        "dtype": problem.dtype,
        "device": problem.device,
        "pass": "training" if problem.training else "forward",
    }


@lru_cache(maxsize=4096)
def parsed(text: str) -> Problem:
    """The problem that a record names."""
    return Problem.parse(text)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as dictionaries, an empty cell as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _frame(rows: Iterator[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    # Strings stay Python's own: pyarrow's, where it is installed, hold no lone surrogate.
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    kinds = [
        (_WHOLE_NUMBERS, "Int64"),
        (_FIGURES, "Float64"),
        (_SIZES, "int64"),
        (_ALWAYS_KNOWN, "float64"),
    ]
    return frame.astype({n: kind for names, kind in kinds for n in names if n in columns})


def _checked(found: list[Record]) -> dict[str, Any]:
    check = next((record for record in found if record.session == CHECK), None)
    return {
        "peak_bytes": check.peak_bytes if check else None,
        "kept_bytes": check.kept_bytes if check else None,
        "resident_bytes": check.resident_bytes if check else None,
    }


def _ending(found: list[Record]) -> dict[str, str]:
    if not found:
        return {"status": UNREACHED, "reason": RUN_ENDED}
    fallen = [(shown_status(record), record.reason) for record in found if record.status != "ok"]
    if not fallen:
        return {"status": "ok", "reason": ""}
    status, reason = min(fallen, key=lambda each: _GRAVEST_FIRST.index(each[0]))
    return {"status": status, "reason": reason}


def _evidence(found: list[Record], panel: str) -> dict[str, Any]:
    """The worst agreement that any session found; for an approximation, what it is off by."""
    seen = [record.agreement for record in found if record.agreement is not None]
    shares = [each.share for each in seen if each.share is not None]
    readouts = [each.readout for each in seen if each.readout is not None]
    tensors = [error for each in seen for error in each.tensors]
    outs = [error for error in tensors if error.tensor == "out"]
    repeats = [each.repeatable for each in seen if each.repeatable is not None]
    return {
        "share": None if panel == APPROXIMATIONS else max(shares, default=None),
        "relative_error": max((error.relative_rms for error in outs), default=None),
        "rows_checked": seen[0].rows_checked if seen else None,
        "readout": all(readouts) if readouts else None,
        "worst_row": max(_numbers(error.worst_row for error in tensors), default=None),
        "cosine": min(_numbers(error.cosine for error in tensors), default=None),
        "slope": max(_numbers(each.slope for each in seen), key=abs, default=None),
        "repeatable": all(repeats) if repeats else None,
        "hard_inputs": max((each.hard_inputs for each in seen), default=None),
    }


def _agreement(found: list[Record], panel: str) -> dict[str, Any]:
    """The evidence as columns of a measurement."""
    evidence = _evidence(found, panel)
    kept = {name: evidence[name] for name in ("relative_error", *EVIDENCE_COLUMNS)}
    return {"share_of_bound": evidence["share"], **kept}


def _numbers(values: Iterable[float | None]) -> list[float]:
    """Those that are numbers."""
    return [value for value in values if value is not None and not math.isnan(value)]

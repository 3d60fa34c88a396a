"""A run with --tail made up in code: single calls with a long tail, some in disturbed rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from suites.records.record import Conditions, Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, TWO, facts, small_run


def tail_run(
    calls: int = 400, *, sessions: int = 2, tail: bool = True, disturbed: Sequence[int] = ()
) -> tuple[Run, list[Record]]:
    """The base takes 1 ms and more, the other twice that.

    calls      in each session
    tail       whether the run asked for percentiles
    disturbed  places of rounds that were disturbed: their calls take 100 ms more
    """
    run, records = small_run(problems=PROBLEMS[:1], sessions=sessions, made=TWO)
    plan = replace(run.plan, tail=tail)
    made = [_single(each, calls, disturbed) if each.times_ms else each for each in records]
    return replace(run, plan=plan, facts=facts(plan)), made


def _single(record: Record, calls: int, disturbed: Sequence[int]) -> Record:
    """The record with single calls, equal for every record of a session."""
    draw = np.random.default_rng(record.session)
    times = draw.exponential(0.1, calls) + 1.0
    times[list(disturbed)] += 100.0
    factor = 1.0 if record.implementation == "base" else 2.0
    why = tuple("waited 9 ms for a CPU" if n in disturbed else "" for n in range(calls))
    return replace(
        record,
        times_ms=tuple((factor * times).tolist()),
        twin_ms=tuple(times.tolist()) if record.twin_ms else (),
        calls_per_sample=1,
        conditions=Conditions(
            probe_ms=(0.5,) * calls,
            run_delay_ms=(0.0,) * calls,
            involuntary_switches=(0,) * calls,
            disturbed=why,
        ),
    )

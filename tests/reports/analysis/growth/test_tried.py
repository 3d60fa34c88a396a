"""The forecast of the longest length that fits is tested: one length below it, one above."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from impls.interface import Problem
from reports.analysis.growth.memory import measured, memory
from reports.analysis.growth.polynomials import exact
from reports.analysis.growth.series import families
from reports.analysis.run_analysis import Analysis
from suites.engine.catalogue import open_catalogue
from suites.engine.conductor import Conductor
from suites.engine.local_pool import LocalPool
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run, Store, now

LIMIT = 64 << 20
"""Bytes: much more than what threads and libraries take besides, and checked in a second or two."""


class Silent:
    def phase(self, text: str, total: int | None = None) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


def checked(run: Run, *lengths: int) -> list[Record]:
    """The records of the check, the last length in a run of its own, so that it is not foreseen."""
    found = []
    for group in (lengths[:-1], lengths[-1:]):
        apart = replace(run, plan=replace(run.plan, problems=tuple(map(problem, group))))
        store = Store.open("sqlite://")
        store.begin(apart)
        with LocalPool(run.plan.time_limit_s, run.plan.memory_limit) as pool:
            conductor = Conductor(run=apart, store=store, listener=Silent(), pool=pool)
            found += conductor.conduct()
    return found


def problem(length: int) -> Problem:
    return Problem.parse(f"b1 h4 t{length} d16 full fp32 cpu")


def test_naive_runs_out_of_memory_where_its_bytes_say() -> None:
    machine, entries = open_catalogue(["naive"], threads=1)
    # 2 score matrices of 4 heads in float32: 32 T² and more reach 64 MiB at about 1440.
    lengths = (64, 128, 256, 1200, 1700)
    plan = Plan(
        suite="attempt",
        problems=tuple(map(problem, lengths)),
        entries=entries,
        sessions=0,
        seed=1,
        round_budget_ms=10,
        time_limit_s=60,
        memory_limit=LIMIT,
        threads=(1,),
    )
    run = Run(name="r", started=now(), command="c", plan=plan, machine=machine)
    records = checked(run, *lengths)
    assert [record.status for record in records] == [*["ok"] * 4, "out_of_memory"]
    peaks = [record.peak_bytes or 0 for record in records[:4]]
    small = exact(lengths[:3], peaks[:3])
    assert small is not None
    assert small.at(1200) == peaks[3] <= LIMIT  # predicted from 256 on, to the byte
    assert small.at(1700) > Fraction(LIMIT)
    analysis = Analysis(run, records)
    (family,) = families(analysis)
    found = memory(family.series[0], measured(analysis), analysis)
    assert found is not None
    assert [(each.length, each.agrees) for each in found.tried] == [(1700, True)]

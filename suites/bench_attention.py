"""The problems of the suite `quick` as pytest-benchmark cases, for `python -m pytest suites/`.

A case is one implementation on one problem. One that cannot run is skipped with its reason.

pytest-benchmark times its cases one after another in this one process, so its columns show the time
of a call, not which implementation is faster. This program's own protocol compares them: one run of
the selected cases comes before the first of them, and its figures are in each case's extra_info
(--benchmark-json FILE). With --benchmark-disable agreement is checked and nothing is timed.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from impls.interface import Problem
from suites.conducting import NOT_KEPT, planned, pool_of
from suites.engine.conductor import Conductor
from suites.engine.local_session import environment
from suites.records.plan import Entry, Plan
from suites.records.record import ANSWERS, CHECK, Record
from suites.records.store import Run, Store, now
from suites.request.planning import Request
from suites.request.suites import named
from suites.stats.disturbance import judge_pair
from suites.stats.intervals import noise_floor
from suites.stats.pairing import pair, twin_log_ratios

COMMAND: Final = "python -m pytest suites/"
PARAMETERS: Final = ("implementation", "problem")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A case for every implementation on every problem, problem by problem."""
    plan, _ = _prepared(metafunc.config.getoption("attnbench_sessions", None))
    reasons = {record.pair: f"{record.status}: {record.reason}" for record in plan.settled()}
    cases = [
        pytest.param(
            entry.name,
            problem.key(),  # text, which pytest-benchmark can store
            marks=_marks(reasons.get((problem, entry.name))),
        )
        for problem in plan.problems
        for entry in plan.entries
    ]
    metafunc.parametrize(PARAMETERS, cases)


def test_attention(implementation: str, problem: str, measured: Measured, benchmark: Any) -> None:
    """It agrees, in the run and here; then pytest-benchmark times it."""
    _time(implementation, Problem.parse(problem), measured, benchmark)


def _time(implementation: str, problem: Problem, measured: Measured, benchmark: Any) -> None:
    entry = measured.entry(implementation)
    benchmark.group = entry.group(problem)
    measured.expect_answer(implementation, problem)
    from suites import in_process  # noqa: PLC0415 - torch, with its threads bound: see `measured`

    if fault := in_process.fault(entry, problem, measured.plan.seed):
        pytest.fail(fault, pytrace=False)
    benchmark(in_process.warm_call(entry, problem))
    if benchmark.enabled:
        benchmark.extra_info |= figures(measured.plan, measured.records, implementation, problem)


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    """One run of the selected cases, by this program's own protocol.

    After it this process gets a session's environment, before it imports torch: bound earlier, its
    sessions would inherit its one CPU; unbound, a small call was seen to take 60 times as long.
    """
    option = request.config.getoption
    whole, machine = _prepared(option("attnbench_sessions", None))
    timed = option("benchmark_enable") or not option("benchmark_disable")
    plan = restricted(whole, _selected(request.session.items), timed=timed)
    run = Run(name="pytest", started=now(), command=COMMAND, plan=plan, machine=machine)
    records = _carried_out(run, request.config)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(max(plan.threads), plan.cuda_device).items():
            patch.setenv(name, value)
        yield Measured(plan, records)


@dataclass(frozen=True, slots=True)
class Measured:
    """A run that has ended."""

    plan: Plan
    records: list[Record]

    def expect_answer(self, implementation: str, problem: Problem) -> None:
        """Skip the case where the run met a limit; fail it where it met a fault."""
        for record in _of(self.records, implementation, problem):
            if record.status != "ok":
                end = pytest.skip if record.status in ANSWERS else _fail
                end(f"{record.status}: {record.reason}")

    def entry(self, implementation: str) -> Entry:
        """Where an implementation is found."""
        return next(each for each in self.plan.entries if each.name == implementation)


def restricted(plan: Plan, cases: Collection[Mapping[str, Any]], *, timed: bool) -> Plan:
    """The plan of the selected cases and the baseline. Not timed, it has no sessions."""
    wanted = {name: {case[name] for case in cases} for name in PARAMETERS}
    problems = tuple(each for each in plan.problems if each.key() in wanted["problem"])
    baselines = set(map(plan.wanted_baseline, problems))
    return replace(
        plan,
        problems=problems,
        entries=tuple(
            entry
            for entry in plan.entries
            if entry.name in wanted["implementation"] or entry.name in baselines
        ),
        sessions=plan.sessions if timed else 0,
    )


def figures(
    plan: Plan, records: Iterable[Record], implementation: str, problem: Problem
) -> dict[str, Any]:
    """The figures of a pair that agrees and was timed; the same as in the report of a run.

    share_of_bound        the part of what the agreement gate allows that was used
    median_ms             the median of the session medians, of the rounds that count;
                          low_ms and high_ms are their spread
    floor                 what identical code may differ by on this problem, relative
    ratio, verdict        time over the baseline's, with its 95 % interval; not for the baseline
    """
    records = list(records)
    own = _of(records, implementation, problem)
    check = next(record for record in own if record.session == CHECK)
    timed = [record for record in own if record.times_ms]
    medians = [median(record.times_ms[index] for index in record.rounds) for record in timed]
    return {
        "share_of_bound": check.agreement.share if check.agreement else None,
        "peak_bytes": check.peak_bytes,
        "kept_bytes": check.kept_bytes,
        "sessions": len(medians),
        "median_ms": median(medians),
        "low_ms": min(medians),
        "high_ms": max(medians),
        **_comparison(plan, records, implementation, problem),
    }


def _comparison(
    plan: Plan, records: list[Record], implementation: str, problem: Problem
) -> dict[str, Any]:
    """The implementation against the baseline of its panel."""
    panels = {entry.name: entry.panel for entry in plan.entries}
    found = {name: _of(records, name, problem) for name in panels}
    able = [name for name, own in found.items() if own and all(r.status == "ok" for r in own)]
    baseline = plan.baseline_of(
        [n for n in able if panels[n] == panels[implementation]], problem.device
    )
    beside = pair(found[baseline], found[implementation])
    twins = twin_log_ratios(record for name in able for record in found[name])
    floor = noise_floor(twins, len(beside.log_ratios))
    if implementation == baseline:
        return {"baseline": baseline, "floor": floor}
    given = judge_pair(beside, delta=plan.delta, floor=floor)
    return {
        "baseline": baseline,
        "floor": floor,
        "ratio": given.ratio,
        "ratio_low": given.interval.low if given.interval else None,
        "ratio_high": given.interval.high if given.interval else None,
        "verdict": given.word,
    }


@dataclass(frozen=True, slots=True)
class _Progress:
    """Prints the phases of the run: the first case waits for all of it."""

    config: pytest.Config

    def phase(self, text: str, total: int) -> None:
        """A phase of so many records begins."""
        plugins: Any = self.config.pluginmanager
        with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
            plugins.get_plugin("terminalreporter").write_line(f"attnbench: {text} ({total})")

    def record(self, record: Record) -> None:
        """Prints nothing: a phase takes seconds."""


def _carried_out(run: Run, config: pytest.Config) -> list[Record]:
    store = Store.open(NOT_KEPT)  # pytest-benchmark writes its own file
    store.begin(run)
    with pool_of(run.plan) as pool:
        return Conductor(run=run, store=store, listener=_Progress(config), pool=pool).conduct()


@functools.cache
def _prepared(sessions: int | None) -> tuple[Plan, dict[str, Any]]:
    settings = {} if sessions is None else {"sessions": sessions}
    return planned(Request(suite=named("quick"), settings=settings))


def _marks(why: str | None) -> list[pytest.MarkDecorator]:
    """What keeps a case from running, if anything does."""
    return [] if why is None else [pytest.mark.skip(reason=why)]


def _selected(items: Iterable[pytest.Item]) -> list[dict[str, Any]]:
    """The parameters of the cases that will run."""
    return [
        dict(item.callspec.params)
        for item in items
        if isinstance(item, pytest.Function)
        and item.path == Path(__file__)
        and item.get_closest_marker("skip") is None
    ]


def _of(records: Iterable[Record], implementation: str, problem: Problem) -> list[Record]:
    return [r for r in records if (r.implementation, r.problem) == (implementation, problem)]


def _fail(reason: str) -> None:
    pytest.fail(reason, pytrace=False)

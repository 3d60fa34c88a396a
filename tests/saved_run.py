"""A small run made up in code, with every way an answer can end; for tests of what reads runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from impls.interface import Limits, Problem
from suites.records.cases import Case, Step
from suites.records.facts import SessionFacts
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Agreement, Conditions, Record, TensorError
from suites.records.store import Run, Store
from suites.stats.ceilings import Ceiling, Kind, Residency

MASKS: Final = ("full", "window:128")
LENGTHS: Final = (128, 256, 512, 1024, 2048)
HEADS: Final = (1, 2, 4, 16)
PROBLEMS: Final = tuple(
    Problem.parse(f"{sizes} {mask} fp32 cpu")
    for mask in MASKS
    for sizes in (
        *(f"h8 t{length}" for length in LENGTHS),
        *(f"h{heads} t1024" for heads in HEADS),
    )
)
"""Eighteen: five lengths at 8 heads and four more numbers of heads at 1024, with two masks."""

MACHINE: Final[dict[str, Any]] = {
    "cpu": "Example CPU 9000",
    "cores": 2,
    "memory_bytes": 8 * 2**30,
    "os": "Linux 6.1",
    "python": "3.11.9",
    "attnbench": "0.1.0",
    "versions": {"torch": "2.13.0+cpu", "xformers": None},
    "allocator": "glibc 2.36, default",
    "threads": 2,
    "devices": [{"device": "cpu", "name": "Example CPU 9000"}],
}

TWO: Final = (Entry(name="base", limits=(Limits(),)), Entry(name="other", limits=(Limits(),)))

_SPEED: Final = {
    "naive": 9.0,
    "chunked": 5.0,
    "local_window": 3.0,
    "sdpa_flash": 1.0,
    "sdpa_math": 7.0,
    "multi_head": 2.5,
    "torch_multi_head": 2.9,
}


def entries() -> tuple[Entry, ...]:
    """Six of attention, one of them missing and one wrong, a refusing one, and two layers."""
    narrow = Limits(masks=("window",), grouped_heads=False)
    cuda = Limits(devices=("cuda",), dtypes=("float16", "bfloat16"), cuda_capability=(8, 0))
    either = (Limits(devices=("cpu",)), Limits(devices=("cuda",), dtypes=("bfloat16",)))
    return (
        Entry(name="naive", limits=(Limits(),), description="The textbook formula."),
        Entry(name="chunked", limits=(Limits(),), choices={"block_q": ["64", "128"]}),
        Entry(name="local_window", limits=(narrow,), description="Only what the window shows."),
        Entry(name="sdpa_flash", limits=either),
        Entry(name="sdpa_math", limits=(Limits(),)),
        Entry(name="off_by_one", limits=(Limits(),)),
        Entry(name="xformers", limits=(cuda,)),
        Entry(name="flash_attn", missing="No module named 'flash_attn'"),
        Entry(name="multi_head", limits=(Limits(),), panel="layers"),
        Entry(name="torch_multi_head", limits=(Limits(),), panel="layers"),
    )


def small_run(
    *,
    problems: Sequence[Problem | str] = PROBLEMS,
    sessions: int = 3,
    made: tuple[Entry, ...] | None = None,
    threads: tuple[int, ...] = (2,),
    baseline: str = "",
) -> tuple[Run, list[Record]]:
    """A run and its records: each implementation answers what its limits let through."""
    plan = Plan(
        suite="quick",
        problems=tuple(map(problem, problems)),
        entries=entries() if made is None else made,
        sessions=sessions,
        seed=1,
        round_budget_ms=1000.0,
        time_limit_s=60.0,
        memory_limit=6 * 2**30,
        threads=threads,
        baseline=baseline,
    )
    run = Run(
        name="2026-01-02-quick",
        started="2026-01-02T03:04:05+00:00",
        ended="2026-01-02T03:05:45+00:00",
        command="python run_bench.py run quick",
        plan=plan,
        machine=MACHINE,
    )
    return run, list(_records(plan))


def problem(of: Problem | str) -> Problem:
    """A problem, or that of a text."""
    return of if isinstance(of, Problem) else Problem.parse(of)


def two(
    factor: float,
    off: tuple[float, ...] = (1.0, 1.002, 0.998, 1.001, 0.999),
    *,
    twin: float = 0.001,
    **plan: Any,
) -> tuple[Run, list[Record]]:
    """A run of two on one problem: the other takes `factor` times as long as the base.

    off   how far each session is off that; there are as many sessions
    twin  how far the twin of the base is off, up and down in turn
    plan  fields of the plan that are to be others
    """
    run, records = small_run(problems=PROBLEMS[1:2], sessions=len(off), made=TWO)
    made = []
    for record in records:
        base = times(record.problem, "base", record.session)
        if not record.times_ms:
            made.append(record)
        elif record.implementation == "base":
            side = 1 + twin if record.session % 2 else 1 - twin
            made.append(replace(record, twin_ms=tuple(side * t for t in base)))
        else:
            slower = factor * off[record.session - 1]
            made.append(replace(record, times_ms=tuple(slower * t for t in base)))
    return replace(run, plan=replace(run.plan, **plan)), made


def over_budget(on: Problem | str, implementation: str, session: int = CHECK) -> Record:
    """What the engine stores of an answer that the run's budget did not hold."""
    return Record(
        session=session,
        problem=problem(on),
        implementation=implementation,
        status="timed_out",
        cause="budget",
        reason="the budget of 1 min does not suffice for it (--budget)",
    )


def times(problem: Problem, implementation: str, session: int) -> tuple[float, ...]:
    """Five made-up samples, milliseconds: their median is no round number."""
    size = problem.query_heads * problem.query_length**2 / 2**23
    if implementation == "local_window":
        size = problem.query_heads * problem.query_length * 128 / 2**23
    middle = _SPEED.get(implementation, 4.0) * size * (1 + session / 97) + 0.013
    return tuple(middle * (1 + shift / 1000) for shift in (-7, 12, 0, -3, 31))


def twin_times(problem: Problem, implementation: str, session: int) -> tuple[float, ...]:
    """The same of its twin: off by 0.2 % in one session and by -0.1 % in the next."""
    off = 1.002 if session % 2 else 0.999
    return tuple(sample * off for sample in times(problem, implementation, session))


def conditions() -> Conditions:
    """Five rounds, the last of them disturbed."""
    return Conditions(
        probe_ms=(0.5, 0.51, 0.5, 0.49, 0.7),
        run_delay_ms=(0.0, 0.1, 0.0, 0.0, 9.2),
        involuntary_switches=(0, 1, 0, 0, 14),
        disturbed=("", "", "", "", "waited 9.2 ms for a CPU"),
    )


def facts(plan: Plan) -> tuple[SessionFacts, ...]:
    """The facts of each session: 100 GFLOP/s and 20 GB/s in the median."""
    return tuple(
        SessionFacts(
            session=session,
            ceilings=(
                _ceiling("matmul", 1e11 * (0.9 + session % 3 / 10), "float32", "cache"),
                _ceiling("read", 2e10 * (0.9 + session % 3 / 10), "", "memory"),
            ),
            affinity=(0, 1),
            clock_resolution_ms=4e-5,
        )
        for session in plan.session_numbers
    )


def _ceiling(kind: Kind, value: float, dtype: str, residency: Residency) -> Ceiling:
    return Ceiling(kind=kind, value=value, dtype=dtype, residency=residency, device="cpu")


def peak_bytes(problem: Problem, implementation: str) -> int:
    """Made-up bytes: a square for some, a line for others."""
    rows = problem.query_heads * problem.query_length
    square = implementation in {"naive", "sdpa_math"}
    return rows * (problem.query_length * 8 if square else 260 + len(implementation) * 40)


def agreement(share: float = 0.24) -> Agreement:
    """Evidence that uses this part of the gate."""
    error = TensorError(
        tensor="out",
        rms_share=share * 2,
        worst_share=share * 8,
        relative_rms=3e-7,
        max_error=2e-6,
    )
    return Agreement(tensors=(error,), rows_checked=None, readout=True)


def _records(plan: Plan) -> Iterator[Record]:
    settled = {record.pair: record for record in plan.settled()}
    yield from settled.values()
    for problem in plan.problems:
        able = [entry.name for entry in plan.entries if (problem, entry.name) not in settled]
        for place, entry in enumerate(plan.entries):
            if entry.name in able:
                twinned = entry.name == plan.twin_of(able, problem.device)
                yield from _answers(plan, problem, entry.name, place, twinned=twinned)


def _answers(
    plan: Plan, problem: Problem, name: str, place: int, *, twinned: bool
) -> Iterator[Record]:
    if name == "off_by_one":
        yield Record(
            session=0,
            problem=problem,
            implementation=name,
            status="wrong",
            cause="wrong_output",
            reason="out: 41 times what rounding explains; query 17 sees keys 9..17, not 10..17",
            agreement=agreement(20.7),
        )
        return
    if name == "sdpa_math" and problem.query_length == LENGTHS[-1]:
        yield Record(
            session=0,
            problem=problem,
            implementation=name,
            status="out_of_memory",
            cause="memory_limit",
            reason="asked for 6.2 GiB, 6.0 GiB are allowed (--memory-limit)",
        )
        return
    yield Record(
        session=0,
        problem=problem,
        implementation=name,
        status="ok",
        agreement=agreement(0.05 + place / 100),
        peak_bytes=peak_bytes(problem, name),
        resident_bytes=peak_bytes(problem, name) * 2,
        spent_ms=10.0,
    )
    for session in plan.session_numbers:
        samples = times(problem, name, session)
        yield Record(
            session=session,
            problem=problem,
            implementation=name,
            status="ok",
            times_ms=samples,
            twin_ms=twin_times(problem, name, session) if twinned else (),
            conditions=conditions(),
            threads=plan.threads_of(session),
            clock="host",
            page_faults=0.5 * session,
            calls_ms=1.0,
            first_call_ms=samples[0] * 4,
            calls_per_sample=3,
            operator="flash_cpu" if name == "sdpa_flash" else "",
        )


def stored(run: Run, records: Sequence[Record]) -> Store:
    """A store in memory that holds the run."""
    store = Store.open("sqlite://")
    store.begin(run)
    store.add(run.name, *records)
    return store


def timed_run(  # noqa: PLR0913 - each is a part of the plan
    ms: Callable[[Problem, str, int], float | None],
    cases: Sequence[Case],
    *,
    steps: Sequence[Step] = (),
    problems: Sequence[Problem | str] | None = None,
    names: Sequence[str] = ("sdpa_flash", "chunked", "naive"),
    sessions: int = 5,
    twin: float = 0.001,
    threads: tuple[int, ...] = (2,),
    in_layer: Callable[[Problem, str, int], float] | None = None,
) -> tuple[Run, list[Record]]:
    """A run with cases: times from a function of problem, implementation and session.

    ms        milliseconds; None: the implementation refuses the problem
    problems  that are measured; None: those of the cases
    names     the first one is the baseline, and has a twin
    twin      how far the twin is off, up and down in turn
    in_layer  milliseconds of a call with a layer behind it; None: it is not measured
    """
    found = [case.problem for case in cases] if problems is None else map(problem, problems)
    run, _ = small_run(
        problems=tuple(dict.fromkeys(found)),
        sessions=sessions,
        made=tuple(Entry(name=name, limits=(Limits(),)) for name in names),
        threads=threads,
        baseline=names[0],
    )
    plan = replace(run.plan, cases=tuple(cases), steps=tuple(steps))
    records = [
        each
        for of in plan.problems
        for name in names
        for each in _timed_by(plan, of, name, ms, twin if name == names[0] else None)
    ]
    if in_layer is not None:
        records = [_with_layer(each, in_layer) for each in records]
    return replace(run, plan=plan), records


def _with_layer(record: Record, ms: Callable[[Problem, str, int], float]) -> Record:
    took = ms(record.problem, record.implementation, record.session)
    return replace(record, in_layer_ms=(took,) * len(record.times_ms))


def _timed_by(
    plan: Plan,
    of: Problem,
    name: str,
    ms: Callable[[Problem, str, int], float | None],
    twin: float | None,
) -> Iterator[Record]:
    if ms(of, name, 1) is None:
        yield Record(
            session=CHECK, problem=of, implementation=name, status="refused", cause="limits",
            reason="made-up limits",
        )  # fmt: skip
        return
    yield Record(
        session=CHECK, problem=of, implementation=name, status="ok", agreement=agreement(),
        peak_bytes=peak_bytes(of, name),
    )  # fmt: skip
    for session in plan.session_numbers:
        took = ms(of, name, session) or 0.0
        samples = tuple(took * shift for shift in (1.0, 0.98, 1.01, 1.03, 0.99))
        side = 1 + (twin or 0.0) * (1 if session % 2 else -1)
        yield Record(
            session=session,
            problem=of,
            implementation=name,
            status="ok",
            times_ms=samples,
            twin_ms=() if twin is None else tuple(side * each for each in samples),
            threads=plan.threads_of(session),
            clock="host",
        )

"""Carries out a request: plans a run, conducts it, and returns its records."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from impls import expect_known, fingerprint
from impls.interface import Problem
from suites.discover.discovery import Discovery, discover
from suites.engine.catalogue import (
    cores,
    input_files,
    open_catalogue,
    with_libraries,
    with_readings,
)
from suites.engine.conductor import AHEAD, Conductor, Listener
from suites.engine.local_pool import LocalPool
from suites.engine.time_left import TimeLeft
from suites.records.address import DEFAULT_STORE
from suites.records.database import expect_url
from suites.records.plan import Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store, now
from suites.request import planning, problems, processes
from suites.request.planning import Request
from suites.versions import revisions

NOT_KEPT: Final = "sqlite://"
"""The store of a check, in memory."""
SAME_MACHINE: Final = ("cpu", "cores", "versions", "allocator", "devices", "nvidia")
"""Facts of a machine that must not change between the parts of a resumed run."""


class Live(AbstractContextManager["Live"], Listener, Protocol):
    """Shows a run while it goes on, within its context."""

    def problem(self, problem: Problem, left: TimeLeft) -> None:
        """A problem is about to be checked or timed; `left` is of the whole run."""


class Trials(Live, Protocol):
    """Shows the search for limits."""

    def search(self, name: str) -> None:
        """The limits of an implementation are searched from here on."""


class Conducted(NamedTuple):
    """A run that was carried out, its store, and all of its records.

    replaced  the run that its saved name stood for until now; empty: none
    """

    run: Run
    store: Store
    records: list[Record]
    replaced: str = ""


Then = Callable[[Conducted, LocalPool], None]
"""Does more with the processes of a run, which keep compiled code."""


def _nothing(done: Conducted, pool: LocalPool) -> None:
    """Do no more."""


class StoppedError(KeyboardInterrupt):
    """A run was stopped by hand; the message says what is stored, and how to finish it."""


def begin(
    request: Request,
    url: str,
    command: str,
    live: Live,
    lines: Listener | None,
    save: str = "",
    then: Then = _nothing,
) -> Conducted:
    """Plan a run, store the plan, and carry it out.

    url      the database that keeps it
    command  the command line
    lines    notified of phases and records instead of `live`
    save     a name for the run, given when it ends; empty for none
    then     called after the last record, with the run's processes

    Raises ValueError for a name that no run can be given, before anything is measured.
    """
    expect_url(url)
    with pool_for(request) as pool:
        plan, machine = callable_plan(request, pool)
        store = Store.open(url)
        expect_saveable_in(store, save)
        name = store.unused_name(plan.suite)
        run = Run(name=name, started=now(), command=command, plan=plan, machine=machine)
        store.begin(run)
        records = conducted(run, store, pool, live, lines)
        then(Conducted(run, store, records), pool)
    return finished(store, name, records, save)


def resume(name: str, url: str, live: Live, lines: Listener | None, save: str = "") -> Conducted:
    """Carry out the plan of a stored run, without the records that are stored already."""
    store = Store.open(url, create=False)
    expect_saveable_in(store, save)
    run = store.run(name)
    _expect_unchanged(run)
    with pool_of(run.plan) as pool:
        records = conducted(run, store, pool, live, lines)
    return finished(store, run.name, records, save)


def check(
    request: Request, command: str, live: Live, probing: Trials
) -> tuple[Conducted, list[Discovery]]:
    """Agreement alone, and the limits of each plain function, found by trial.

    probing  shows the trials
    """
    with pool_for(request) as pool:
        plan, machine = callable_plan(request, pool)
        store = Store.open(NOT_KEPT)
        run = Run(name="check", started=now(), command=command, plan=plan, machine=machine)
        store.begin(run)
        records = conducted(run, store, pool, live)

        def conduct(trial: Run) -> list[Record]:
            store.begin(trial)
            return Conductor(run=trial, store=store, listener=probing, pool=pool).conduct()

        found = []
        with probing:
            for entry in plan.entries:
                of_a_group = any(each.ranks for each in entry.limits)
                if entry.states_limits or entry.missing or entry.fault or of_a_group:
                    continue
                probing.search(entry.name)
                found.append(discover(entry, run, records, conduct))
    return Conducted(run, store, records), found


def without_limits(done: Conducted) -> list[tuple[str, Path]]:
    """Plain functions without Limits that failed somewhere, each with its file.

    The file is relative to the working directory where it lies beneath it.
    """
    here = Path.cwd()
    failed = {r.implementation for r in done.records if r.status in ("wrong", "failed")}
    return [
        (entry.name, file.relative_to(here) if file.is_relative_to(here) else file)
        for entry in done.run.plan.entries
        if entry.name in failed and not entry.states_limits
        for file in [Path(entry.files[entry.defined])]
    ]


def callable_plan(request: Request, pool: LocalPool) -> tuple[Plan, dict[str, Any]]:
    """The plan, with the readings of its implementations, and the machine.

    Raises ValueError where the library of an implementation that was named does not import, and
    where none of those named can be called.
    """
    plan, machine = planned(request, pool)
    pool.pythons |= plan.pythons  # that of the baseline, once more, is known from here on
    plan = with_libraries(plan, pool)
    _expect_named(plan)
    plan = with_readings(plan, pool)
    named = [entry for entry in plan.entries if entry.name in plan.named]
    if named and all(entry.fault for entry in named):
        raise ValueError("; ".join(f"{entry.name}: {entry.fault}" for entry in named))
    return plan, machine


def _expect_named(plan: Plan) -> None:
    """Raise ValueError for an implementation that was named and is missing here."""
    for entry in plan.entries:
        if entry.missing and entry.name in (*plan.named, plan.baseline):
            raise ValueError(f"implementation {entry.name!r} is missing here: {entry.missing}")


def planned(request: Request, pool: LocalPool | None = None) -> tuple[Plan, dict[str, Any]]:
    """The plan, and the machine it is for. Raises ValueError for what makes no sense."""
    placed = revisions.placed(request)
    request = placed.request
    own, pythons = processes.with_pythons(
        planning.specs_of(request) or (), request.pythons, placed.processes
    )
    machine, entries = open_catalogue(
        planning.specs_of(request),
        threads=max(planning.threads_of(request, cores())),
        allocator=request.settings.get("allocator", "default"),
        cuda_device=request.settings.get("cuda_device", ""),
        pool=pool,
        processes=own,
        pythons=pythons,
    )
    request = _with_files(request, machine, pool)
    return planning.plan_of(request, machine, placed.described(entries), cores()), machine


def _with_files(request: Request, machine: Mapping[str, Any], pool: LocalPool | None) -> Request:
    """The request with its files of tensors as data. Raises ValueError for one without inputs."""
    if not request.inputs:
        return request
    device = machine["devices"][0]["device"]
    threads = max(planning.threads_of(request, cores()))
    wanted = request.axes.get("--dtype", [])
    dtypes = tuple(value["dtype"] for value in wanted)
    with nullcontext(pool) if pool is not None else unstarted_pool(request) as own:
        files = input_files(request.inputs, device, dtypes, threads, own)
    return replace(request, files=files)


def pool_for(request: Request) -> LocalPool:
    """Processes under the request's limits; the check's is started, and the first sessions'.

    Raises ValueError for a mistake that is seen without a process.
    """
    expect_known(request.specs or ())
    problems.expect_model_files(request.problems)
    threads = planning.threads_of(request, cores())
    pool = unstarted_pool(request)
    pool.start(CHECK, max(threads))
    if not request.names_problems:
        return pool  # a mistake may still be found, and seconds do not matter
    fewest = planning.fewest_sessions(request)
    likely = request.suite.sessions if request.is_open_ended else fewest
    for index in range(min(AHEAD, likely * len(threads))):
        pool.start(index + 1, threads[index % len(threads)])
    return pool


def unstarted_pool(request: Request) -> LocalPool:
    """Processes under the request's limits; none is started."""
    settings = request.settings
    return LocalPool(
        settings.get("time_limit_s", planning.TIME_LIMIT_S),
        planning.memory_limit(request),
        settings.get("allocator", "default"),
        settings.get("prepare_limit_s", planning.PREPARE_LIMIT_S),
        settings.get("cuda_device", ""),
    )


def pool_of(plan: Plan) -> LocalPool:
    """Processes under a stored plan's limits."""
    return LocalPool(
        plan.time_limit_s,
        plan.memory_limit,
        plan.allocator,
        plan.prepare_limit_s,
        plan.cuda_device,
        plan.pythons,
    )


def _expect_unchanged(run: Run) -> None:
    """Raise ValueError when a run's files or machine are not what they were when it began."""
    expect_inputs(run.plan)
    expect_files(run)
    machine, _ = open_catalogue(
        [],
        threads=max(run.plan.threads),
        allocator=run.plan.allocator,
        cuda_device=run.plan.cuda_device,
    )
    for fact in SAME_MACHINE:
        ours, theirs = run.machine.get(fact), machine.get(fact)
        if ours != theirs:
            raise ValueError(
                f"run {run.name!r} began with {fact} {ours}, here it is "
                f"{theirs}; its records would not belong together: start a new run"
            )


def expect_files(run: Run) -> None:
    """Raise ValueError for a file of an implementation that is gone or has changed."""
    for entry in run.plan.entries:
        for name, path in entry.files.items():
            if not Path(path).is_file() or fingerprint(path) != entry.hashes[name]:
                raise ValueError(
                    f"{path} has changed since run {run.name!r} began; its records would not "
                    "belong together: start a new run"
                )


def expect_inputs(plan: Plan) -> None:
    """Raise ValueError for a file with the user's own tensors that is gone or has changed."""
    for file in plan.inputs:
        file.expect_unchanged()


def conducted(
    run: Run, store: Store, pool: LocalPool, live: Live, lines: Listener | None = None
) -> list[Record]:
    """The records of a run. Raises StoppedError when it was stopped by hand and is stored."""
    try:
        with live:
            return Conductor(
                run=run, store=store, listener=lines or live, pool=pool, begins=live.problem
            ).conduct()
    except KeyboardInterrupt:
        if store.url == NOT_KEPT:
            raise
        raise StoppedError(how_to_finish(run, store)) from None


def expect_saveable_in(store: Store, save: str) -> None:
    """Raise ValueError for a name that no run of this store can be given; "" is none."""
    if save:
        store.expect_saveable(save)


def finished(store: Store, name: str, records: list[Record], save: str) -> Conducted:
    """The finished run, under its saved name where one is wanted."""
    replaced = store.save(save, name) if save else ""
    return Conducted(store.run(name), store, records, replaced)


def how_to_finish(run: Run, store: Store) -> str:
    """A sentence with the number of stored records, and the command that finishes the run."""
    url = "" if store.url == DEFAULT_STORE else f" --store {shlex.quote(store.shown)}"
    return (
        f"stopped; {len(store.records(run.name))} records are stored; finish with: "
        f"python run_bench.py run --resume {run.name}{url}"
    )

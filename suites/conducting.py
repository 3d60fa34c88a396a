"""A run from what was asked for to its records, whoever listens."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from suites.discover.discovery import Discovery, discover, is_plain
from suites.engine.processes import Processes
from suites.engine.run import Conductor, Listener
from suites.records.address import DEFAULT_STORE
from suites.records.record import Record
from suites.records.store import Run, Store, now
from suites.request.planning import Request, expect_unchanged, prepare, processes_for, processes_of

NOT_KEPT: Final = "sqlite://"
"""The store of a check: nothing of it is kept."""


class Live(AbstractContextManager["Live"], Listener, Protocol):
    """Shows a run while it goes on, within a context of its own."""

    def problem(self, text: str) -> None:
        """A problem is about to be asked."""


class Conducted(NamedTuple):
    """A run that was carried out, where it is kept, and all of its records."""

    run: Run
    store: Store
    records: list[Record]


class StoppedError(KeyboardInterrupt):
    """A run was stopped by hand; the message says what is stored, and how to finish it."""


def begin(
    request: Request, url: str, command: str, live: Live, lines: Listener | None
) -> Conducted:
    """Plan a run, store the plan, and carry it out.

    url      the database that keeps it
    command  the command line it was asked for with
    lines    hears of phases and records in place of what is live
    """
    with processes_for(request) as processes:
        plan, machine = prepare(request, processes)
        store = Store.open(url)
        name = store.unused_name(plan.suite)
        run = Run(name=name, started=now(), command=command, plan=plan, machine=machine)
        store.begin(run)
        records = _conduct(run, store, processes, live, lines)
    return Conducted(store.run(name), store, records)


def resume(name: str, url: str, live: Live, lines: Listener | None) -> Conducted:
    """Carry out the plan of a stored run, minus its records."""
    store = Store.open(url, create=False)
    run = store.run(name)
    expect_unchanged(run)
    with processes_of(run.plan) as processes:
        records = _conduct(run, store, processes, live, lines)
    return Conducted(store.run(run.name), store, records)


def check(
    request: Request, command: str, live: Live, probing: Live
) -> tuple[Conducted, list[Discovery]]:
    """Agreement alone, and what each plain function can do, asked in the same processes.

    probing  listens while that is found out
    """
    with processes_for(request) as processes:
        plan, machine = prepare(request, processes)
        store = Store.open(NOT_KEPT)
        run = Run(name="check", started=now(), command=command, plan=plan, machine=machine)
        store.begin(run)
        records = _conduct(run, store, processes, live)

        def conduct(further: Run) -> list[Record]:
            store.begin(further)
            return Conductor(
                run=further, store=store, listener=probing, processes=processes
            ).conduct()

        with probing:
            plain = [entry for entry in plan.entries if is_plain(entry)]
            found = [discover(entry, run, records, conduct) for entry in plain]
    return Conducted(run, store, records), found


def unstated(done: Conducted) -> list[tuple[str, Path]]:
    """Plain functions that did not agree with all that they were asked, each with its file.

    From here, where it lies beneath.
    """
    here = Path.cwd()
    fell = {r.implementation for r in done.records if r.status in ("wrong", "failed")}
    return [
        (entry.name, file.relative_to(here) if file.is_relative_to(here) else file)
        for entry in done.run.plan.entries
        if entry.name in fell and is_plain(entry)
        for file in [Path(entry.files[entry.name])]
    ]


def _conduct(
    run: Run, store: Store, processes: Processes, live: Live, lines: Listener | None = None
) -> list[Record]:
    """The records of a run. Raises StoppedError when it was stopped by hand and is kept."""
    try:
        with live:
            return Conductor(
                run=run,
                store=store,
                listener=lines or live,
                processes=processes,
                begins=live.problem,
            ).conduct()
    except KeyboardInterrupt:
        if store.url == NOT_KEPT:
            raise
        raise StoppedError(_how_to_finish(run, store)) from None


def _how_to_finish(run: Run, store: Store) -> str:
    url = "" if store.url == DEFAULT_STORE else f" --store {shlex.quote(store.shown)}"
    return (
        f"stopped; {len(store.records(run.name))} records are stored; finish with: "
        f"python run_bench.py run --resume {run.name}{url}"
    )

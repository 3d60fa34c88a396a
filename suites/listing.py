"""The lists that `list` shows, as plain data: implementations, suites, models, runs, machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from suites.models.kinds import KINDS
from suites.records.address import DEFAULT_STORE
from suites.request.suites import SUITES, kind_of, named
from suites.request.suites.suite import Gpu, Suite

PROBLEMS: Final = "problems"
"""The list that needs the name of a suite."""


def of(what: str, store: str, suite: str | None = None) -> list[dict[str, Any]] | dict[str, Any]:
    """The data of one list.

    suite  whose problems are listed; for `problems` only

    Raises ValueError for an unknown list or suite, and for a suite that is missing or unused.
    """
    if what == PROBLEMS:
        if suite is None:
            raise ValueError(f"list problems without a suite; expected one of {', '.join(SUITES)}")
        return _problems(named(suite))
    if what not in LISTS:
        raise ValueError(f"unknown list {what!r}; expected one of {', '.join((*LISTS, PROBLEMS))}")
    if suite is not None:
        raise ValueError(f"list {what} {suite}; expected a suite after `list problems` only")
    return LISTS[what](store)


def _implementations(store: str) -> list[dict[str, Any]]:
    """Every implementation; `ran_on` of those that its authors never ran is from this store."""
    from suites.engine.catalogue import cores, open_catalogue  # noqa: PLC0415 - likewise
    from suites.records.codec import to_data  # noqa: PLC0415 - the other lists do not need it

    entries = open_catalogue(None, threads=cores())[1]
    found = _timed_on([entry.name for entry in entries if entry.ran_on is not None], store)
    return [
        to_data(replace(entry, ran_on=found.get(entry.name) or entry.ran_on)) for entry in entries
    ]


def _timed_on(names: list[str], store: str) -> dict[str, str]:
    """The device and the day on which each was timed; empty where there is no store."""
    from suites.records.store import Store  # noqa: PLC0415 - likewise

    if store == DEFAULT_STORE and not Path(DEFAULT_STORE.removeprefix("sqlite:///")).exists():
        return {}  # nothing was run here yet
    return Store.open(store, create=False).timed_on(names, "cuda")


def _suites(_: str) -> list[dict[str, Any]]:
    return [
        {
            "name": suite.name,
            "kind": kind_of(suite.name),
            "asks": suite.asks,
            "description": suite.description,
            "problems": len(suite.problems(("cpu",))),
            "sessions": suite.sessions,
            "minutes": suite.minutes,
            "budget_s": suite.budget_s,
            "left_out": list(suite.left_out),
        }
        for suite in SUITES.values()
    ]


def _problems(suite: Suite) -> dict[str, Any]:
    """A suite with its cases on a CPU, in their order."""
    about = next(each for each in _suites("") if each["name"] == suite.name)
    cases = [
        {
            "problem": str(case.problem),
            "label": case.label,
            "count": case.count,
            "step": case.step,
            "source": case.source,
            "scaled": case.scaled,
        }
        for case in suite.cases(("cpu",), Gpu())
    ]
    return {**about, "cases": cases}


def _models(_: str) -> list[dict[str, Any]]:
    """Every model of the word `model`; `example` is a problem of it, `problems` has its steps."""
    return [
        {
            "name": kind.name,
            "says": kind.says,
            "class": kind.class_,
            "steps": [*kind.steps, *(["training"] if kind.limits.backward else [])],
            "example": kind.problems[0],
            "problems": list(kind.problems),
        }
        for kind in KINDS.values()
    ]


def _runs(store: str) -> list[dict[str, Any]]:
    """Every stored run, the newest first; those of a group stand together."""
    from suites.records.groups import group_of, kind_of, together  # noqa: PLC0415 - likewise
    from suites.records.store import Store  # noqa: PLC0415 - the other lists do not need it

    kept = Store.open(store, create=False)
    counts, saved, profiled = kept.counts(), kept.saved(), kept.profiled_runs()
    runs = kept.runs()
    groups = together([run.name for run in runs])
    place = {name: at for at, names in enumerate(groups) for name in names}
    return [
        {
            "name": run.name,
            "group": group_of(run.name),
            "kind": kind_of(run.name),
            "saved_as": [
                name
                for name, saved_run in saved.items()
                if saved_run in (run.name, group_of(run.name))
            ],
            "suite": run.plan.suite,
            "started": run.started,
            "ended": run.ended,
            "machine": run.machine.get("cpu"),
            "devices": [device.get("name") for device in run.machine.get("devices") or ()],
            "problems": len(run.plan.problems),
            "implementations": len(run.plan.entries),
            "records": counts[run.name],
            "profiled": run.name in profiled,
            "command": run.command,
            "fault": run.fault,
        }
        for run in sorted(runs, key=lambda run: place[run.name], reverse=True)
    ]


def _machine(_: str) -> dict[str, Any]:
    from suites.engine.catalogue import cores, open_catalogue  # noqa: PLC0415 - needs a fresh process

    return open_catalogue([], threads=cores())[0]


LISTS: Final[dict[str, Callable[[str], list[dict[str, Any]] | dict[str, Any]]]] = {
    "implementations": _implementations,
    "suites": _suites,
    "models": _models,
    "runs": _runs,
    "machine": _machine,
}
"""The data of each list, from the URL of a store."""

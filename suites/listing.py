"""The lists that `list` shows, as plain data: implementations, suites, runs and this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from suites.request.suites import SUITES


def of(what: str, store: str) -> list[dict[str, Any]] | dict[str, Any]:
    """The data of one list. Raises ValueError for an unknown list."""
    if what not in LISTS:
        raise ValueError(f"unknown list {what!r}; expected one of {', '.join(LISTS)}")
    return LISTS[what](store)


def _implementations(_: str) -> list[dict[str, Any]]:
    from suites.engine.catalogue import cores, open_catalogue  # noqa: PLC0415 - likewise
    from suites.records.codec import to_data  # noqa: PLC0415 - the other lists do not need it

    return [to_data(entry) for entry in open_catalogue(None, threads=cores())[1]]


def _suites(_: str) -> list[dict[str, Any]]:
    return [
        {
            "name": suite.name,
            "description": suite.description,
            "problems": len(suite.problems(("cpu",))),
            "sessions": suite.sessions,
            "budget_s": suite.budget_s,
        }
        for suite in SUITES.values()
    ]


def _runs(store: str) -> list[dict[str, Any]]:
    """Every stored run, the newest first."""
    from suites.records.store import Store  # noqa: PLC0415 - the other lists do not need it

    kept = Store.open(store, create=False)
    counts, saved = kept.counts(), kept.saved()
    return [
        {
            "name": run.name,
            "saved_as": [name for name, saved_run in saved.items() if saved_run == run.name],
            "suite": run.plan.suite,
            "started": run.started,
            "ended": run.ended,
            "machine": run.machine.get("cpu"),
            "devices": [device.get("name") for device in run.machine.get("devices") or ()],
            "problems": len(run.plan.problems),
            "implementations": len(run.plan.entries),
            "records": counts[run.name],
            "command": run.command,
            "fault": run.fault,
        }
        for run in reversed(kept.runs())
    ]


def _machine(_: str) -> dict[str, Any]:
    from suites.engine.catalogue import cores, open_catalogue  # noqa: PLC0415 - needs a fresh process

    return open_catalogue([], threads=cores())[0]


LISTS: Final[dict[str, Callable[[str], list[dict[str, Any]] | dict[str, Any]]]] = {
    "implementations": _implementations,
    "suites": _suites,
    "runs": _runs,
    "machine": _machine,
}
"""The data of each list, from the URL of a store."""

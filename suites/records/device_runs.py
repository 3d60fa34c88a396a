"""The newest stored run in which an implementation was timed on a device."""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa

from suites.records.database import RECORDS, RUNS
from suites.records.record import CHECK

_ESCAPE: Final = "\\"


def timed_on(connection: sa.Connection, name: str, device: str) -> str:
    """The device's name and the day of that run, `NVIDIA H200, 2026-11-29`; "" where there is none.

    name    without settings: records of every setting count
    device  as in problems: cuda
    """
    query = (
        sa.select(RUNS.c.machine, RUNS.c.started)
        .join(RECORDS, RECORDS.c.run == RUNS.c.id)
        .where(RECORDS.c.session != CHECK, RECORDS.c.status == "ok")
        .where(RECORDS.c.problem.like(f"% {device}%"))
        .where(
            sa.or_(
                RECORDS.c.implementation == name,
                RECORDS.c.implementation.like(f"{_literal(name)}[%", escape=_ESCAPE),
            )
        )
        .order_by(RUNS.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return "" if row is None else f"{_device(row.machine, device)}, {row.started[:10]}"


def _literal(name: str) -> str:
    """A name in which no character is a wildcard of LIKE."""
    for wildcard in (_ESCAPE, "%", "_"):
        name = name.replace(wildcard, _ESCAPE + wildcard)
    return name


def _device(machine: str, device: str) -> str:
    """The device's name in the machine of a run; its kind where the machine has no such name."""
    named = json.loads(machine).get("devices") or ()
    return next((str(each["name"]) for each in named if each.get("device") == device), device)

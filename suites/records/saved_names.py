"""Names that users give to runs: `main` stands for a run until it is given to another one.

A store of an earlier version has no table of names. It is made when the first name is saved: the
format stays the same, and earlier versions read the store.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from suites.records.groups import MARK, members
from suites.records.reading import expect_name

_METADATA: Final = sa.MetaData()
_NAMES: Final = sa.Table(
    "saved_names",
    _METADATA,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("run", sa.String(200), nullable=False),
)
_LATEST: Final = re.compile(r"latest(~.*)?")


def expect_saveable(name: str, runs: Collection[str] = ()) -> None:
    """Raise ValueError for a name that means another run already, or that no run can have.

    runs  the names of the stored runs
    """
    if _LATEST.fullmatch(name):
        raise ValueError(f"--save {name}: {name!r} means the newest runs; name it otherwise")
    if members(name, runs):
        raise ValueError(f"--save {name}: a stored run has this name; name it otherwise")
    if MARK in name:
        raise ValueError(f"--save {name}: {MARK} marks a kind of machine; name it otherwise")
    try:
        expect_name(name)
    except ValueError as error:
        raise ValueError(f"--save: {error}") from error


def saved(connection: sa.Connection) -> dict[str, str]:
    """The run of each saved name."""
    if not sa.inspect(connection).has_table(_NAMES.name):
        return {}
    rows = connection.execute(sa.select(_NAMES).order_by(_NAMES.c.name))
    return {row.name: row.run for row in rows}


def save(connection: sa.Connection, name: str, run: str) -> str:
    """Give a run a name; the run that had it until now, or an empty text."""
    _METADATA.create_all(connection)
    before = saved(connection).get(name, "")
    connection.execute(_NAMES.delete().where(_NAMES.c.name == name))
    connection.execute(_NAMES.insert().values(name=name, run=run))
    return before

"""Profiles in a store, each with the run whose plan it belongs to.

A store of an earlier version has no table of profiles. It is made with the first profile: the
format stays the same, and earlier versions read the store.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from suites.records.codec import from_json, to_json
from suites.records.profile import Profile

_METADATA: Final = sa.MetaData()
_PROFILES: Final = sa.Table(
    "profiles",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.String(200), nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("implementation", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.UniqueConstraint("run", "problem", "implementation"),
)


def add(connection: sa.Connection, run: str, profile: Profile) -> None:
    """Store a profile of a run."""
    _METADATA.create_all(connection)
    values = {
        "run": run,
        "problem": profile.problem.key(),
        "implementation": profile.implementation,
        "data": to_json(profile),
    }
    connection.execute(_PROFILES.insert().values(values))


def copy(reads: sa.Connection, writes: sa.Connection, run: str) -> int:
    """Copy the profiles of a run to another store, as they are; their number."""
    if not sa.inspect(reads).has_table(_PROFILES.name):
        return 0
    query = sa.select(_PROFILES).where(_PROFILES.c.run == run).order_by(_PROFILES.c.id)
    rows = [{**row} for row in reads.execute(query).mappings()]
    for row in rows:
        del row["id"]
    if rows:
        _METADATA.create_all(writes)
        writes.execute(_PROFILES.insert(), rows)
    return len(rows)


def of_run(connection: sa.Connection, run: str) -> list[Profile]:
    """The profiles of a run, in the order they were stored."""
    return [from_json(Profile, data) for data in _column(connection, _PROFILES.c.data, run)]


def runs(connection: sa.Connection) -> set[str]:
    """The names of the runs that have profiles."""
    return set(_column(connection, _PROFILES.c.run))


def _column(connection: sa.Connection, column: sa.Column[str], run: str | None = None) -> list[str]:
    if not sa.inspect(connection).has_table(_PROFILES.name):
        return []
    query = sa.select(column).order_by(_PROFILES.c.id)
    return list(connection.scalars(query if run is None else query.where(_PROFILES.c.run == run)))

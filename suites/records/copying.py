"""Copy a run from one store to another."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa

from suites.records import stored_profiles
from suites.records.database import RECORDS, RUNS, SESSIONS, StoreError
from suites.records.store import AT_ONCE, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A run that was copied, with the numbers of its rows.

    run       its name, the same in both stores
    to        the target as messages show it
    ended     whether the run was finished
    records   their number
    profiles  their number
    """

    run: str
    to: str
    ended: bool
    records: int
    profiles: int


def copy_run(name: str, source: Store, url: str) -> Copied:
    """Copy a run with its records, the facts of its sessions and its profiles.

    name  its own or a saved name, `latest` or `latest~N`
    url   of the target, which is made when it is not there

    Rows are copied as they are, also those that this version cannot read. The target gets all of
    them or none. Saved names stay where they are: `main` may be another run there.

    Raises StoreError for a run that is not in the source, or is in the target already.
    """
    run = source.resolved(name)
    with closing(Store.open(url)) as target:
        if run in {each.name for each in target.runs()}:
            raise StoreError(f"{target.shown} holds a run {run!r} already; nothing was copied")
        return _copied(run, source, target)


def _copied(run: str, source: Store, target: Store) -> Copied:
    with source.transaction("read") as reads, target.transaction("written") as writes:
        row = dict(reads.execute(sa.select(RUNS).where(RUNS.c.name == run)).mappings().one())
        was = row.pop("id")
        now = writes.scalar(RUNS.insert().values(row).returning(RUNS.c.id))
        records, _ = (_copy_rows(table, was, now, reads, writes) for table in (RECORDS, SESSIONS))
        profiles = stored_profiles.copy(reads, writes, run)
    ended = row["ended"] is not None
    return Copied(run=run, to=target.shown, ended=ended, records=records, profiles=profiles)


def _copy_rows(
    table: sa.Table, was: int, now: int | None, reads: sa.Connection, writes: sa.Connection
) -> int:
    """Copy the rows of a run; their number. `was` and `now` are the run's ids in both stores."""
    query = sa.select(table).where(table.c.run == was).order_by(table.c.id)
    count = 0
    for rows in reads.execute(query.execution_options(yield_per=AT_ONCE)).mappings().partitions():
        writes.execute(table.insert(), [_with_run(row, now) for row in rows])
        count += len(rows)
    return count


def _with_run(row: sa.RowMapping, run: int | None) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "id"} | {"run": run}

"""Runs and their records in a database reached by URL: SQLite in one file, or a server.

Every record is committed when it is made, so a run that is killed keeps what it had measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from suites.records import stored_profiles
from suites.records.address import DEFAULT_STORE, without_password
from suites.records.codec import to_json
from suites.records.database import (
    FORMAT,
    RECORDS,
    RUNS,
    SESSIONS,
    StoreError,
    connect,
    failed,
    is_made,
    make,
)
from suites.records.device_runs import timed_on
from suites.records.facts import SessionFacts
from suites.records.groups import group_of, members, together
from suites.records.profile import Profile
from suites.records.reading import Run, expect_name, facts_of, record_of, run_of, unread
from suites.records.record import Record
from suites.records.saved_names import expect_saveable, save, saved

AT_ONCE: Final = 5000
"""Rows that are read at a time: a run may have more records than fit into memory."""

__all__ = ["FORMAT", "Run", "Store", "StoreError", "now"]


def now() -> str:
    """This moment as runs print it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Store:
    """An open store. Every method raises StoreError with one sentence when the database fails."""

    def __init__(self, url: str, engine: sa.Engine) -> None:
        self.url = url
        self.shown = without_password(url)
        self._engine = engine

    @classmethod
    def open(cls, url: str = DEFAULT_STORE, *, create: bool = True) -> Self:
        """The store at a URL, made when it is not there and `create` is set.

        Raises StoreError for a URL that leads nowhere, a file that is no store or a damaged one,
        and a store of another format; the file is left as it was.
        """
        store = cls(url, connect(url, create=create))
        try:
            store._expect_made(create=create)
        except StoreError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def unused_name(self, suite: str) -> str:
        """A name for a new run: the suite and this moment, and a number when that is taken."""
        name = f"{suite}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        names = self._names()
        taken = [*names, *map(group_of, names), *self.saved()]
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return name if name not in taken else next(n for n in numbered if n not in taken)

    def begin(self, run: Run) -> None:
        """Store a run with its plan, before its first record."""
        try:
            expect_name(run.name)
        except ValueError as error:
            raise StoreError(f"a run cannot be stored: {error}") from error
        with self.transaction("written") as connection:
            connection.execute(
                RUNS.insert().values(
                    name=run.name,
                    started=run.started,
                    ended=run.ended,
                    command=_encodable(run.command),
                    plan=to_json(run.plan),
                    machine=json.dumps(run.machine),
                )
            )

    def add(self, run: str, *made: Record) -> None:
        """Commit records of a run; all of them, or none when one is there already."""
        if not made:
            return
        with self.transaction("written") as connection:
            row = connection.scalar(sa.select(RUNS.c.id).where(RUNS.c.name == run))
            if row is None:
                raise StoreError(f"no run {run!r} in {self.shown}; begin it before its records")
            connection.execute(RECORDS.insert(), [_row(row, record) for record in made])

    def note(self, run: str, facts: SessionFacts) -> None:
        """Commit the facts that a process of a session reported."""
        with self.transaction("written") as connection:
            row = connection.scalar(sa.select(RUNS.c.id).where(RUNS.c.name == run))
            connection.execute(
                SESSIONS.insert().values(run=row, session=facts.session, data=to_json(facts))
            )

    def add_profile(self, run: str, profile: Profile) -> None:
        """Commit a profile of a run."""
        with self.transaction("written") as connection:
            stored_profiles.add(connection, run, profile)

    def profiles(self, run: str) -> list[Profile]:
        """The profiles of a run, in the order they were stored."""
        with self.transaction("read") as connection:
            return stored_profiles.of_run(connection, run)

    def profiled_runs(self) -> set[str]:
        """The names of the runs that have profiles."""
        with self.transaction("read") as connection:
            return stored_profiles.runs(connection)

    def sessions(self, run: str) -> list[SessionFacts]:
        """The facts that the processes of a run reported, in the order they were stored."""
        query = (
            sa.select(SESSIONS.c.session, SESSIONS.c.data)
            .join(RUNS, RUNS.c.id == SESSIONS.c.run)
            .where(RUNS.c.name == run)
            .order_by(SESSIONS.c.id)
        )
        with self.transaction("read") as connection:
            rows = connection.execute(query).all()
        return [facts_of(session, data) for session, data in rows]

    def end(self, run: str) -> None:
        """Mark a run as finished."""
        with self.transaction("written") as connection:
            connection.execute(RUNS.update().where(RUNS.c.name == run).values(ended=now()))

    def save(self, name: str, run: str) -> str:
        """Give a run a name, which later commands take; the run that had it, or an empty text."""
        self.expect_saveable(name)
        with self.transaction("written") as connection:
            return save(connection, name, run)

    def expect_saveable(self, name: str) -> None:
        """Raise ValueError for a name that no run can be given here."""
        expect_saveable(name, self._names())

    def saved(self) -> dict[str, str]:
        """The run of each name that was given to one."""
        with self.transaction("read") as connection:
            return saved(connection)

    def timed_on(self, names: Iterable[str], device: str) -> dict[str, str]:
        """By implementation: the device's name and the day of its newest times; "" for none."""
        with self.transaction("read") as connection:
            if not is_made(connection, self.shown):
                return dict.fromkeys(names, "")
            return {name: timed_on(connection, name, device) for name in names}

    def runs(self) -> list[Run]:
        """Every run, oldest first, without its facts; one that cannot be read has its `fault`."""
        with self.transaction("read") as connection:
            if not is_made(connection, self.shown):
                return []
            rows = connection.execute(sa.select(RUNS).order_by(RUNS.c.id)).mappings().all()
        return [run_of(row) for row in rows]

    def run(self, name: str = "latest") -> Run:
        """A run by its own or a saved name, `latest` or `latest~N`, with facts and unread rows.

        Raises StoreError for no run, and for one whose plan cannot be read.
        """
        wanted = self.resolved(name)
        with self.transaction("read") as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.name == wanted)).mappings().one()
        found = run_of(row)
        if found.fault:
            raise StoreError(
                f"the run {wanted!r} of {self.shown} cannot be read: {found.fault}; update "
                "attnbench, or name another run (python run_bench.py list runs)"
            )
        facts, faults = self.sessions(found.name), self._unread(found.name)
        return replace(found, facts=tuple(facts), unread=tuple(faults))

    def resolved(self, name: str) -> str:
        """The own name of a run, from that, a saved name, `latest` or `latest~N`.

        Raises StoreError for no run, and for a name that stands for several.
        """
        found = self.standing_for(name)
        if len(found) > 1:
            raise StoreError(
                f"{name!r} stands for {len(found)} runs, one on each kind of machine; "
                f"name one of them: {', '.join(found)}"
            )
        return found[0]

    def standing_for(self, name: str) -> tuple[str, ...]:
        """The own names of all runs that a name stands for, as `resolved` reads it.

        They are several for the name of a group, and for `latest` where its newest run is of one.
        Raises StoreError for no run.
        """
        return self._found(self.saved().get(name, name), self._names())

    def newest(self, count: int) -> list[str]:
        """The names of the newest runs, the oldest of them first.

        Raises StoreError where there are not so many.
        """
        names = self._names()
        if len(names) < count:
            raise StoreError(f"the newest {count} runs: the store {self.shown} holds {len(names)}")
        return names[-count:]

    def _names(self) -> list[str]:
        """The names of all runs, oldest first."""
        with self.transaction("read") as connection:
            if not is_made(connection, self.shown):
                return []
            return list(connection.execute(sa.select(RUNS.c.name).order_by(RUNS.c.id)).scalars())

    def _found(self, name: str, names: list[str]) -> tuple[str, ...]:
        """The names that are meant by one of them, a group, `latest` or `latest~N`."""
        if not names:
            raise StoreError(f"the store {self.shown} holds no run; python run_bench.py makes one")
        word, _, back = name.partition("~")
        if word == "latest" and (back.isdecimal() or not back):
            every = together(names)
            if int(back or 0) < len(every):
                return every[-1 - int(back or 0)]
            raise StoreError(f"no run {name!r}: the store {self.shown} holds {len(every)}")
        found = members(name, names)
        if not found:
            raise StoreError(
                f"no run {name!r} in {self.shown}; the newest is {names[-1]!r} "
                "(python run_bench.py list runs)"
            )
        return found

    def records(self, run: str) -> list[Record]:
        """The records of a run, in the order they were made.

        A record with damaged data is `failed`: its implementation has no time on its problem, and
        resuming does not measure it again. A row without a readable session, problem or
        implementation is left out, and `Run.unread` has the reason; resuming may measure it again.
        """
        return [record for rows in self.rows(run) for record in self.read(rows)]

    def rows(self, run: str) -> Iterator[Sequence[Mapping[Any, Any]]]:
        """The rows of the records of a run, in order, some thousand at a time."""
        query = (
            sa.select(RECORDS)
            .join(RUNS, RUNS.c.id == RECORDS.c.run)
            .where(RUNS.c.name == run)
            .order_by(RECORDS.c.id)
            .execution_options(yield_per=AT_ONCE)
        )
        with self.transaction("read") as connection:
            yield from connection.execute(query).mappings().partitions()

    def read(self, rows: Iterable[Mapping[Any, Any]]) -> list[Record]:
        """The records of `rows`, as `records` returns them."""
        return [record_of(row) for row in rows if not unread(row)]

    def _unread(self, run: str) -> list[str]:
        """Why rows of a run belong to no problem, for each such row."""
        columns = (RECORDS.c.session, RECORDS.c.problem, RECORDS.c.implementation)
        query = (
            sa.select(*columns)
            .join(RUNS, RUNS.c.id == RECORDS.c.run)
            .where(RUNS.c.name == run)
            .order_by(RECORDS.c.id)
        )
        with self.transaction("read") as connection:
            rows = connection.execute(query).mappings()
            return [fault for row in rows if (fault := unread(row))]

    def counts(self) -> dict[str, int]:
        """How many records each run has, by its name."""
        query = (
            sa.select(RUNS.c.name, sa.func.count(RECORDS.c.id))
            .join(RECORDS, RUNS.c.id == RECORDS.c.run, isouter=True)
            .group_by(RUNS.c.id)
        )
        with self.transaction("read") as connection:
            if not is_made(connection, self.shown):
                return {}
            return {row[0]: row[1] for row in connection.execute(query)}

    def _expect_made(self, *, create: bool) -> None:
        """Make the tables where there are none and `create` is set."""
        with self.transaction("opened") as connection:
            made = is_made(connection, self.shown)
        if create and not made:
            with self.transaction("made") as connection:
                if not is_made(connection, self.shown):  # another process may have been first
                    make(connection)

    @contextmanager
    def transaction(self, deed: str) -> Iterator[sa.Connection]:
        """A connection whose changes are committed together at the end, or not at all.

        deed  `read`, `made` or `written`: a word of the message of StoreError
        """
        try:
            engine = self._engine.execution_options(writes=deed in ("made", "written"))
            with engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise StoreError(f"the store {self.shown} holds that already: {error.orig}") from error
        except SQLAlchemyError as error:
            raise failed(self.shown, deed, error) from error


def _row(run: int, record: Record) -> dict[str, Any]:
    return {
        "run": run,
        "session": record.session,
        "problem": record.problem.key(),
        "implementation": record.implementation,
        "status": record.status,
        "data": to_json(record),
    }


def _encodable(text: str) -> str:
    """A command line as text that can be stored: undecodable bytes of file names are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()

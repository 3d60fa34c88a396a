"""Runs and their records in a database reached by URL: SQLite in one file, or a server.

Every record is committed when it is made, so a run that is killed keeps what it had measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from suites.records import plan as plans
from suites.records import record as records
from suites.records.address import DEFAULT_STORE, without_password
from suites.records.plan import Plan
from suites.records.record import Record

FORMAT: Final = 2
"""1: runs with their plan and machine, records with their evidence. 2: sessions with their facts,
records with twins and conditions."""

_METADATA: Final = sa.MetaData()
_FORMATS: Final = sa.Table(
    "attnbench_format", _METADATA, sa.Column("format", sa.Integer, primary_key=True)
)
_RUNS: Final = sa.Table(
    "runs",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), unique=True, nullable=False),
    sa.Column("started", sa.String(40), nullable=False),
    sa.Column("ended", sa.String(40)),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
)
_RECORDS: Final = sa.Table(
    "records",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("implementation", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.UniqueConstraint("run", "session", "problem", "implementation"),
)
_SESSIONS: Final = sa.Table(
    "sessions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)

Row = TypeVar("Row")


class StoreError(ValueError):
    """The store cannot be opened, read or written; the message says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All records of one invocation, and what they were made on.

    started, ended  ISO 8601, UTC; ended is None for a run that was interrupted
    command         the command line that started it
    machine         hardware, versions, threads and allocator, as suites.measure.machine reads them
    facts           what the processes of its sessions told of themselves: ceilings, clock, ...
    """

    name: str
    started: str
    command: str
    plan: Plan
    machine: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    facts: tuple[dict[str, Any], ...] = ()


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

        Raises StoreError for a URL that leads nowhere, a file that is no store, and a store of a
        newer format; the file is left as it was.
        """
        store = cls(url, _connect(url, create=create))
        with store._transaction("opened") as connection:
            made = store._is_made(connection)
        if create and not made:
            with store._transaction("made") as connection:
                if not store._is_made(connection):  # another process may have been first
                    _METADATA.create_all(connection)
                    connection.execute(_FORMATS.insert().values(format=FORMAT))
        return store

    def _is_made(self, connection: sa.Connection) -> bool:
        tables = sa.inspect(connection).get_table_names()
        if _FORMATS.name in tables:
            found = connection.execute(sa.select(sa.func.max(_FORMATS.c.format))).scalar()
            if found != FORMAT:
                raise StoreError(
                    f"the store {self.shown} is of format {found}, this program reads {FORMAT}; "
                    "update attnbench or name another --store"
                )
        elif tables:
            raise StoreError(
                f"{self.shown} holds another program's tables ({', '.join(sorted(tables)[:3])}); "
                "name another --store"
            )
        return bool(tables)

    def unused_name(self, suite: str) -> str:
        """A name for a new run: the suite and this moment, and a number when that is taken."""
        name = f"{suite}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        taken = {run.name for run in self.runs()}
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return name if name not in taken else next(n for n in numbered if n not in taken)

    def begin(self, run: Run) -> None:
        """Store a run with its plan, before its first record."""
        with self._transaction("written") as connection:
            connection.execute(
                _RUNS.insert().values(
                    name=run.name,
                    started=run.started,
                    ended=run.ended,
                    command=run.command,
                    plan=json.dumps(plans.to_json(run.plan)),
                    machine=json.dumps(run.machine),
                )
            )

    def add(self, run: str, *made: Record) -> None:
        """Commit records of a run; all of them, or none when one is there already."""
        with self._transaction("written") as connection:
            row = connection.scalar(sa.select(_RUNS.c.id).where(_RUNS.c.name == run))
            if row is None:
                raise StoreError(f"no run {run!r} in {self.shown}; begin it before its records")
            for record in made:
                connection.execute(
                    _RECORDS.insert().values(
                        run=row,
                        session=record.session,
                        problem=record.problem,
                        implementation=record.implementation,
                        status=record.status,
                        data=json.dumps(records.to_json(record)),
                    )
                )

    def note(self, run: str, session: int, facts: dict[str, Any]) -> None:
        """Commit what a process of a session told of itself: its ceilings, clock and threads."""
        with self._transaction("written") as connection:
            row = connection.scalar(sa.select(_RUNS.c.id).where(_RUNS.c.name == run))
            connection.execute(
                _SESSIONS.insert().values(run=row, session=session, data=json.dumps(facts))
            )

    def sessions(self, run: str) -> list[dict[str, Any]]:
        """What the processes of a run told of themselves, each with its number, `session`."""
        query = (
            sa.select(_SESSIONS.c.session, _SESSIONS.c.data)
            .join(_RUNS, _RUNS.c.id == _SESSIONS.c.run)
            .where(_RUNS.c.name == run)
            .order_by(_SESSIONS.c.id)
        )
        with self._transaction("read") as connection:
            rows = connection.execute(query).all()
        return [{**json.loads(data), "session": session} for session, data in rows]

    def end(self, run: str) -> None:
        """Mark a run as finished."""
        with self._transaction("written") as connection:
            connection.execute(_RUNS.update().where(_RUNS.c.name == run).values(ended=now()))

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        with self._transaction("read") as connection:
            if not sa.inspect(connection).has_table(_RUNS.name):
                return []
            rows = connection.execute(sa.select(_RUNS).order_by(_RUNS.c.id)).mappings().all()
        return [self._understood(_run, row) for row in rows]

    def _understood(self, read: Callable[[Any], Row], row: Any) -> Row:
        try:
            return read(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                f"a row of the store {self.shown} cannot be read: {_cause(error)}; "
                "update attnbench or name another --store"
            ) from error

    def run(self, name: str = "latest") -> Run:
        """A run by name, `latest` or `latest~N`, with its facts. Raises StoreError for no run."""
        found = self._named(name)
        return replace(found, facts=tuple(self.sessions(found.name)))

    def _named(self, name: str) -> Run:
        runs = self.runs()
        if not runs:
            raise StoreError(f"the store {self.shown} holds no run; python run_bench.py makes one")
        word, _, back = name.partition("~")
        if word == "latest" and (back.isdecimal() or not back):
            if int(back or 0) < len(runs):
                return runs[-1 - int(back or 0)]
            raise StoreError(f"no run {name!r}: the store {self.shown} holds {len(runs)}")
        for run in runs:
            if run.name == name:
                return run
        raise StoreError(
            f"no run {name!r} in {self.shown}; the newest is {runs[-1].name!r} "
            "(python run_bench.py list runs)"
        )

    def records(self, run: str) -> list[Record]:
        """The records of a run, in the order they were made."""
        query = (
            sa.select(_RECORDS.c.data)
            .join(_RUNS, _RUNS.c.id == _RECORDS.c.run)
            .where(_RUNS.c.name == run)
            .order_by(_RECORDS.c.id)
        )
        with self._transaction("read") as connection:
            rows = connection.execute(query).scalars().all()
        return [
            self._understood(lambda text: records.from_json(json.loads(text)), row) for row in rows
        ]

    @contextmanager
    def _transaction(self, deed: str) -> Iterator[sa.Connection]:
        try:
            engine = self._engine.execution_options(writes=deed in ("made", "written"))
            with engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise StoreError(f"the store {self.shown} holds that already: {error.orig}") from error
        except SQLAlchemyError as error:
            raise StoreError(
                f"the store {self.shown} cannot be {deed}: {_cause(error)}; "
                "check the file or name another --store"
            ) from error


def _connect(url: str, *, create: bool) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        engine = sa.create_engine(parsed)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise StoreError(
            f"--store {without_password(url)!r}: {_cause(error)}; "
            f"expected a URL like {DEFAULT_STORE}"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _leave_transactions_to_us)
        sa.event.listen(engine, "begin", _begin)
    if parsed.get_backend_name() == "sqlite" and not re.match(
        r"(:memory:|file:.*)?$", parsed.database or ""
    ):
        _prepare_file(Path(str(parsed.database)), create=create)
    return engine


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    """Python's sqlite3 begins none for CREATE TABLE, so a store could be left half made."""
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    """Who will write says so at once: two readers that both turn writers would lock each other."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_file(path: Path, *, create: bool) -> None:
    if not create and not path.is_file():
        raise StoreError(f"no store at {path}; python run_bench.py makes one")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {path.parent} of the store cannot be made: {error.strerror}"
        ) from error


def _run(row: Any) -> Run:
    return Run(
        name=row["name"],
        started=row["started"],
        ended=row["ended"],
        command=row["command"],
        plan=plans.from_json(json.loads(row["plan"])),
        machine=json.loads(row["machine"]),
    )


def _cause(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original).splitlines()[0] if str(original) else type(original).__name__

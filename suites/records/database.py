"""The database of a store: its URL, its tables, and advice for its errors."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SAWarning, SQLAlchemyError

from suites.records.address import DEFAULT_STORE, without_password

FORMAT: Final = 3
WRITTEN_BY: Final = {1: "0.1.0", 2: "0.1.0", 3: "0.2.0"}
"""The release that writes each format. 2 added sessions, twins and conditions; 3 added causes."""
PATIENCE_S: Final = 60.0
"""Seconds a process waits for another one that is writing; a commit takes milliseconds."""

METADATA: Final = sa.MetaData()
FORMATS: Final = sa.Table(
    "attnbench_format", METADATA, sa.Column("format", sa.Integer, primary_key=True)
)
RUNS: Final = sa.Table(
    "runs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), unique=True, nullable=False),
    sa.Column("started", sa.String(40), nullable=False),
    sa.Column("ended", sa.String(40)),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
)
RECORDS: Final = sa.Table(
    "records",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("implementation", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.UniqueConstraint("run", "session", "problem", "implementation"),
)
SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("session", sa.Integer, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)

_DAMAGED: Final = "the file is damaged: keep it as it is, and name another --store"
_ADVICE: Final = {
    "full": "make room on the disk; a run that was stopped goes on with --resume",
    "disk I/O error": "is there room on the disk? a run that was stopped goes on with --resume",
    "readonly": "the file or its folder is read-only; name another --store",
    "unable to open": "can the file and its folder be written? or name another --store",
    "locked": "another program keeps it from being used; wait for that one, or end it",
    "malformed": _DAMAGED,
    "not a database": "check the file or name another --store",
    "no such": _DAMAGED,
}
"""What to do, by words of the database's own message: drivers share no codes for these."""


class StoreError(ValueError):
    """The store cannot be opened, read or written; the message says which, and what to do."""


def connect(url: str, *, create: bool) -> sa.Engine:
    """An engine for a URL; the folder of a file is made where `create` is set.

    Raises StoreError for a URL that leads nowhere, and for a file that is not there.
    """
    engine = _engine(url)
    if _is_sqlite(engine.url):
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
    if _is_file(engine.url):
        _prepare_file(Path(str(engine.url.database)), create=create)
    return engine


def expect_url(url: str) -> None:
    """Raise StoreError for a URL that leads nowhere or to a folder; nothing is opened or made."""
    parsed = _engine(url).url
    if _is_file(parsed):
        _expect_no_folder(Path(str(parsed.database)))


def is_made(connection: sa.Connection, shown: str) -> bool:
    """Whether the database is a store of this format; False for one that is empty.

    shown  what the store is called in messages

    Raises StoreError for another format, another program's tables, and a store that lacks its own.
    """
    found = has_format(connection, shown)
    if found is None:
        return False
    if found < FORMAT:
        by = WRITTEN_BY.get(found, "an older version")
        raise StoreError(
            f"the store {shown} has format {found}, of attnbench {by}; "
            f"python run_bench.py migrate --store {shown} brings it to format {FORMAT}, which "
            "that version cannot read"
        )
    if lacking := sorted(METADATA.tables.keys() - _tables(connection)):
        raise StoreError(f"the store {shown} lacks its table {lacking[0]!r}; {_DAMAGED}")
    return True


def has_format(connection: sa.Connection, shown: str) -> int | None:
    """The format of a store, of this version or an earlier one; None for an empty database.

    Raises StoreError for a later format, another program's tables, and a store without a number.
    """
    tables = _tables(connection)
    if not tables:
        return None
    if FORMATS.name not in tables:
        some = ", ".join(map(repr, sorted(tables)[:3]))
        raise StoreError(f"{shown} holds another program's tables ({some}); name another --store")
    found = connection.execute(sa.select(sa.func.max(FORMATS.c.format))).scalar()
    if not isinstance(found, int):
        raise StoreError(f"the store {shown} has no format number; {_DAMAGED}")
    if found > FORMAT:
        raise StoreError(
            f"the store {shown} is of format {found}, this version reads {FORMAT}; "
            "update attnbench or name another --store"
        )
    return found


def make(connection: sa.Connection) -> None:
    """Make the tables of a store in an empty database."""
    METADATA.create_all(connection)
    connection.execute(FORMATS.insert().values(format=FORMAT))


def failed(shown: str, deed: str, error: SQLAlchemyError) -> StoreError:
    """The error that says what a store cannot be (opened, read, ...), why, and what to do."""
    why = cause(error)
    fitting = (advice for words, advice in _ADVICE.items() if words in why)
    return StoreError(
        f"the store {shown} cannot be {deed}: {why}; "
        f"{next(fitting, 'check the file or name another --store')}"
    )


def cause(error: Exception) -> str:
    """The first line of what an error says, or its kind."""
    original = error.orig if isinstance(error, DBAPIError) else error
    said = str(original).strip()
    return said.splitlines()[0] if said else type(original).__name__


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _engine(url: str) -> sa.Engine:
    """An engine that has not connected. Raises StoreError for a URL that leads nowhere."""
    try:
        parsed = sa.make_url(url)
        with warnings.catch_warnings():  # of an argument that would be ignored
            warnings.simplefilter("error", SAWarning)
            return sa.create_engine(parsed, connect_args=_arguments(parsed))
    except (SQLAlchemyError, SAWarning, ImportError, ValueError) as error:
        hint = "" if not url or "://" in url else f"did you mean sqlite:///{url}? "
        raise StoreError(
            f"the store {without_password(url)!r}: {cause(error)}; {hint}"
            f"expected a URL like {DEFAULT_STORE}"
        ) from error


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _is_file(url: sa.URL) -> bool:
    return _is_sqlite(url) and not re.match(r"(:memory:|file:.*)?$", url.database or "")


def _arguments(url: sa.URL) -> dict[str, Any]:
    return {"timeout": PATIENCE_S} if _is_sqlite(url) else {}


def _set_up(connection: Any, _: Any) -> None:
    """Begin transactions here, and read text that is not UTF-8.

    Python's sqlite3 begins none for CREATE TABLE, so a store could be left half made. One text that
    is not UTF-8 would make all rows that are read with it unreadable.
    """
    connection.isolation_level = None
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _begin(connection: sa.Connection) -> None:
    """Lock at once for writing: two readers that both start to write would lock each other out."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_file(path: Path, *, create: bool) -> None:
    _expect_no_folder(path)
    if not create and not path.is_file():
        raise StoreError(f"no store at {path}; python run_bench.py makes one")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {path.parent} of the store cannot be made: {error.strerror}"
        ) from error


def _expect_no_folder(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"the store {path} is a folder; name another --store")

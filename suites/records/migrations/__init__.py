"""Migrations of stores: a store of an earlier format becomes one of this version's format.

One file of `versions` for each format, run by Alembic (https://alembic.sqlalchemy.org). All of them
are one transaction: a migration that fails leaves the store as it was, on SQLite and PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from suites.records.database import FORMAT, FORMATS, StoreError, connect, failed, has_format

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """The format that a store had, and the one that it has now."""

    shown: str
    before: int
    now: int = FORMAT


def migrate(url: str) -> Migrated:
    """Bring a store to the format of this version, if it has an earlier one.

    Raises StoreError for a store that is not there, or is no store, and for a later format.
    """
    from alembic import command  # noqa: PLC0415 - only this function needs it
    from alembic.config import Config  # noqa: PLC0415 - likewise

    engine = connect(url, create=False)
    shown = engine.url.render_as_string()
    try:
        with engine.execution_options(writes=True).begin() as connection:
            before = has_format(connection, shown)
            if before is None:
                raise StoreError(f"the store {shown} is empty: nothing to migrate")
            if before < FORMAT:
                config = Config(attributes={"connection": connection})
                config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
                command.stamp(config, str(before))
                command.upgrade(config, "head")
                connection.execute(FORMATS.delete())
                connection.execute(FORMATS.insert().values(format=FORMAT))
    except sa.exc.SQLAlchemyError as error:
        raise failed(shown, "migrated", error) from error
    finally:
        engine.dispose()
    return Migrated(shown=shown, before=before)

"""Format 3: a record has a cause beside its status, derived from the words of its reason."""

import json

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

CAUSES = {
    "refused": (("", "limits"),),
    "missing": (("", "not_importable"),),
    "wrong": (("wrote to", "wrote_read_only"), ("timed", "wrong_when_timed"), ("", "wrong_output")),
    "failed": (("changed ", "process_state"), ("", "exception")),
    "out_of_memory": (
        ("foreseen", "foreseen_memory"),
        ("inputs alone", "foreseen_memory"),
        ("(--memory-limit)", "memory_limit"),
        ("", "device_memory"),
    ),
    "timed_out": (
        ("(--budget)", "budget"),
        ("foreseen", "foreseen_time"),
        ("silent", "silent_session"),
        ("", "time_limit"),
    ),
    "crashed": (
        ("wrote over the engine's own pipe", "pipe_overwritten"),
        ("gave no record", "no_record"),
        ("", "process_died"),
    ),
}
"""By status: words of a reason, and the cause. The first words that the reason has decide."""
AT_ONCE = 1000


def upgrade() -> None:
    """Add the cause to every record that is not ok; one that is no JSON stays as it is."""
    connection = op.get_bind()
    records = sa.table("records", sa.column("id"), sa.column("status"), sa.column("data"))
    query = sa.select(records).where(records.c.status != "ok").order_by(records.c.id)
    change = (
        sa.update(records)
        .where(records.c.id == sa.bindparam("row"))
        .values(data=sa.bindparam("with_cause"))
    )
    after = -1
    while rows := connection.execute(query.where(records.c.id > after).limit(AT_ONCE)).all():
        found = [
            {"row": row.id, "with_cause": text}
            for row in rows
            if (text := _with_cause(row.status, row.data))
        ]
        if found:
            connection.execute(change, found)
        after = rows[-1].id


def _with_cause(status: str, text: str) -> str | None:
    """The record with its cause; None for one that is damaged, or has one."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    if not isinstance(record, dict) or status not in CAUSES or record.get("cause"):
        return None
    reason = str(record.get("reason", ""))
    cause = next(cause for words, cause in CAUSES[status] if words in reason)
    return json.dumps({**record, "cause": cause})

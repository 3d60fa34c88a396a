"""Format 2: the facts of sessions, and runs with several numbers of threads.

Records have twins and conditions, which may be missing.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the table of sessions, empty, and write plans in the words of this format."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("session", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    runs = sa.table("runs", sa.column("id"), sa.column("plan"))
    for row in connection.execute(sa.select(runs)).all():
        if text := _renewed(row.plan):
            connection.execute(sa.update(runs).where(runs.c.id == row.id).values(plan=text))


def _renewed(text: str) -> str | None:
    """The plan with a list of threads, and with panels for layers; None for a damaged one."""
    try:
        plan = json.loads(text)
        entries = [
            {name: value for name, value in entry.items() if name != "layer"}
            | {"panel": "layers" if entry.get("layer") else "attention"}
            for entry in plan["entries"]
        ]
        threads = plan["threads"] if isinstance(plan["threads"], list) else [plan["threads"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return json.dumps({**plan, "entries": entries, "threads": threads})

"""Run by Alembic: migrations use the connection that `migrate` opened, within its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()

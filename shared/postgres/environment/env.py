"""Alembic loads this file to run migrations on the connection that shared/postgres/migrate.py hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()

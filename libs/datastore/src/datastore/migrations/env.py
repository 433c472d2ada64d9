"""Alembic runs this file for each command, on the connection that `datastore.migrator` opened."""

from alembic import context

from datastore.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("start migrations with `python -m datastore.migrate`, it waits for the database and locks it")

context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()

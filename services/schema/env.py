"""What alembic runs: the migrations, on the connection that `migrate` hands over."""

from alembic import context

from services.schema import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=SCHEMA,
)
context.run_migrations()

"""The database's tables: made and brought up to date by alembic's migrations in `versions/`.

Each migration is a file `<revision>_<what>.py`, revisions being numbers that only grow.
"""

from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.errors import InvalidSchemaName, UndefinedTable

SCHEMA = "cpor"
"""The PostgreSQL schema of everything."""

_FOLDER = Path(__file__).parent
_LOCK = 0x6370_6F72
"""Advisory lock ("cpor"): one migration at a time."""


class DatabaseTooNew(Exception):  # noqa: N818 - named by what is wrong, as the sentence it holds
    """The database was brought up to date by a newer release than this one."""


def migrate(database_url: str) -> None:
    """Bring the database's tables up to date; safe for several at once, quick when they are.

    Raises DatabaseTooNew for a database that this release does not know, psycopg.OperationalError
    for one that can't be reached.
    """
    with psycopg.connect(database_url) as connection:
        if _is_current(connection):
            return
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # until the connection closes
        if not _is_current(connection):
            connection.execute("CREATE SCHEMA IF NOT EXISTS cpor")
            connection.commit()
            _upgrade(connection)


def revisions() -> list[str]:
    """The revisions that this release knows, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (_FOLDER / "versions").glob("*.py"))


def _is_current(connection: Connection) -> bool:
    """Whether nothing is to be done. Raises DatabaseTooNew."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT version_num FROM cpor.alembic_version").fetchone()
    except (UndefinedTable, InvalidSchemaName):
        return False
    known = revisions()
    if row and row[0] not in known:
        raise DatabaseTooNew(
            f"The database is of revision {row[0]}, which is newer than this release "
            f"(it knows up to {known[-1]}): run the release that the database was last used with, "
            "or a newer one."
        )
    return row is not None and row[0] == known[-1]


def _upgrade(connection: Connection) -> None:
    # Half a second of imports that only a database in need of a migration pays for.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    with engine.connect() as wrapped:
        config.attributes["connection"] = wrapped
        command.upgrade(config, "head")
        wrapped.commit()

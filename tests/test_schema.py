"""The database's tables: made from nothing, once, and never touched by an older release."""

# pyright: reportPrivateUsage=false
# The lock of a migration is nobody else's business.

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import NullPool, create_engine

from projections.table import METADATA
from services import schema
from services.embedded.postgres import Postgres
from services.schema import DatabaseTooNew, migrate, revisions
from services.settings import CHECKOUT

MIGRATIONS = Path(schema.__file__).parent / "versions"


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[str]:
    """The address of a database without any table."""
    name = Identifier("test_schema")
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(name))
        yield postgres_server.url_for("test_schema")
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def tables(database_url: str) -> set[str]:
    """The tables that are there."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'cpor'")
        return {name for (name,) in rows}


def test_an_empty_database_gets_all_tables(empty_database: str) -> None:
    """Those of the store, and what stands beside it, and the projections."""
    migrate(empty_database)

    assert tables(empty_database) == {
        *("alembic_version", "stored_events", "contacts", "documents", "secrets", "attempts"),
        *("simulated_clock", "projection_positions", "claim_board", "claim_words"),
        *("board_counts", "open_clocks", "claim_progress", "claim_stages"),
        *("sessions", "drafts", "sign_in_attempts", "saved_views"),
        *("notices", "reminders", "notifier_position", "mail_preferences", "mailbox"),
        "webhooks",
    }


def test_works_in_a_checkout_with_a_percent_sign(empty_database: str, tmp_path: Path) -> None:
    """Alembic's configuration would take it for a variable."""
    checkout = tmp_path / "100%(here)s"
    shutil.copytree(CHECKOUT / "services", checkout / "services")
    program = "import sys; from services.schema import migrate; migrate(sys.argv[1])"

    subprocess.run([sys.executable, "-c", program, empty_database], cwd=checkout, check=True)

    assert "stored_events" in tables(empty_database)


def test_starters_at_once_migrate_once(empty_database: str) -> None:
    """The others wait, and find nothing to do."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database] * 4))

    assert "stored_events" in tables(empty_database)


def test_a_database_that_is_up_to_date_is_left_as_it_is(database_url: str) -> None:
    """Without waiting for whoever migrates another one just now."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO cpor.secrets VALUES ('key', 'abc')")
        connection.execute("SELECT pg_advisory_lock(%s)", [schema._LOCK])
        migrate(database_url)  # it would wait for ever if it had anything to do
        assert connection.execute("SELECT count(*) FROM cpor.secrets").fetchone() == (1,)


def test_a_database_of_a_newer_release_is_refused_in_a_sentence(database_url: str) -> None:
    """It is not touched."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE cpor.alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseTooNew, match=r"^The database is of revision 9999, .*\.$"):
        migrate(database_url)


def test_a_migration_that_fails_leaves_nothing_behind(empty_database: str) -> None:
    """All of it or none: the next try begins where this one did."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA cpor; CREATE TABLE cpor.open_clocks ()")

    with pytest.raises(Exception, match="open_clocks"):
        migrate(empty_database)
    assert tables(empty_database) == {"open_clocks"}


def test_files_are_named_by_their_revisions() -> None:
    """The quick look at the database relies on it."""
    for file in MIGRATIONS.glob("*.py"):
        number = file.name.partition("_")[0]
        assert f'revision: str = "{number}"' in file.read_text("utf-8")
    assert len(set(revisions())) == len(revisions())


SHAPES = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'cpor'
UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'cpor'
ORDER BY 1, 2
"""


def test_a_rebuild_makes_the_tables_that_the_migrations_make(
    database_url: str, empty_database: str
) -> None:
    """The same columns and the same indexes."""
    with psycopg.connect(empty_database, autocommit=True) as bare:
        bare.execute("CREATE SCHEMA cpor")
        engine = create_engine("postgresql+psycopg://", creator=lambda: bare, poolclass=NullPool)
        METADATA.create_all(engine)
    with psycopg.connect(empty_database) as bare, psycopg.connect(database_url) as migrated:
        made = bare.execute(SHAPES).fetchall()
        assert made == [
            row
            for row in migrated.execute(SHAPES).fetchall()
            if f"cpor.{row[0]}" in METADATA.tables
        ]

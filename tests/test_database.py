"""How the project connects to PostgreSQL."""

from uuid import UUID

import psycopg
import pytest

from services.database import with_settings


def test_settings_of_a_session_stand_beside_those_of_its_address(database_url: str) -> None:
    """What whoever runs it has set in the address stays."""
    own = with_settings(database_url, work_mem="1234kB")

    with psycopg.connect(with_settings(own, statement_timeout="4500ms")) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("work_mem", "statement_timeout")
        ]

    assert shown == [("1234kB",), ("4500ms",)]


@pytest.mark.rule("R30")
def test_the_planner_samples_nothing_of_contacts(database_url: str) -> None:
    """What is erased from the table would stay there."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(100):
            connection.execute(
                "INSERT INTO cpor.contacts VALUES (%s, %s, 'Zeynep', 'CIO', 'z@contoso.example')",
                [UUID(int=number), UUID(int=number)],
            )
        connection.execute("ANALYZE cpor.contacts")
        sampled = connection.execute(
            "SELECT attname FROM pg_stats WHERE tablename = 'contacts'"
        ).fetchall()

    assert sorted(sampled) == [("claim_id",), ("contact_id",)]

"""How the project connects to PostgreSQL."""

import psycopg

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

"""Which commands were tried alone, by how many processes that did not come to the end of it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ATTEMPTS = """
CREATE TABLE cpor.attempts (
    stream_sequence bigint NOT NULL,
    arrived_at timestamptz NOT NULL,
    process text NOT NULL,
    processes integer NOT NULL,
    PRIMARY KEY (stream_sequence, arrived_at)
);
COMMENT ON TABLE cpor.attempts IS
    'Commands that are tried alone: a row that stays tells that a process ended over one';
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(ATTEMPTS)

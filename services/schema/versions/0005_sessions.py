"""Who is signed in to the pages."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SESSIONS = """
CREATE TABLE cpor.sessions (
    token_digest bytea PRIMARY KEY,
    role text NOT NULL,
    org text,
    actor_id text NOT NULL,
    name text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_expires_at ON cpor.sessions (expires_at);
COMMENT ON TABLE cpor.sessions IS
    'Signed-in people; of the token, which only their browser has, the SHA-256 digest';
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(SESSIONS)

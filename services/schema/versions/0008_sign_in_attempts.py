"""Who is at the identity provider at the moment, to come back signed in."""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ATTEMPTS = """
CREATE TABLE cpor.sign_in_attempts (
    state_digest bytea PRIMARY KEY,
    browser_digest bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    leads_to text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_expires_at ON cpor.sign_in_attempts (expires_at);
COMMENT ON TABLE cpor.sign_in_attempts IS
    'People who were led to the identity provider; a row is taken by who comes back, once';
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(ATTEMPTS)

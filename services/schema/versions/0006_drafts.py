"""Claims that somebody has begun to fill in on the pages."""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DRAFTS = """
CREATE TABLE cpor.drafts (
    draft_id uuid PRIMARY KEY,
    role text NOT NULL,
    org text NOT NULL,
    actor_id text NOT NULL,
    command_id text NOT NULL,
    form jsonb NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX drafts_author ON cpor.drafts (org, actor_id, role);
CREATE INDEX drafts_updated_at ON cpor.drafts (updated_at);
ALTER TABLE cpor.drafts ALTER form SET STATISTICS 0;
COMMENT ON TABLE cpor.drafts IS
    'Half-filled forms of new claims, each its author''s alone; contacts'' personal data are in'
    ' them, until the claim is created or nobody has touched them for a while (R30)';
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(DRAFTS)

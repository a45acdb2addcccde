"""Drafts of disputes, beside those of new claims."""

from collections.abc import Sequence

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DISPUTE_DRAFTS = """
ALTER TABLE cpor.drafts ADD command text NOT NULL DEFAULT 'create_claim';
COMMENT ON COLUMN cpor.drafts.command IS 'What the form is for: create_claim or open_dispute';
COMMENT ON TABLE cpor.drafts IS
    'Half-filled forms of new claims and of disputes, each its author''s alone; contacts'' personal'
    ' data are in those of claims, until the form is sent or nobody has touched it for a while'
    ' (R30)';
"""


def upgrade() -> None:
    """Say of each draft what it is for."""
    op.execute(DISPUTE_DRAFTS)

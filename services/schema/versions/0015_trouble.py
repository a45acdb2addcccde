"""What is known of notices that are refused, and of those that one mail tells together."""

from collections.abc import Sequence

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTICES = """
ALTER TABLE cpor.notices
    ADD COLUMN refused_since timestamptz,
    ADD COLUMN alone boolean NOT NULL DEFAULT false,
    ADD COLUMN told_with bigint;
CREATE INDEX notices_together_idx ON cpor.notices (recipient, next_at, notice_id)
    WHERE state = 'waiting';
CREATE INDEX notices_told_with_idx ON cpor.notices (told_with) WHERE told_with IS NOT NULL;
"""


def upgrade() -> None:
    """Add the columns, and what finds notices by them."""
    op.execute(NOTICES)

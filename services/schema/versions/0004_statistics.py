"""No sample of what contacts say in PostgreSQL's statistics, where nobody would erase it (R30)."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

UNSAMPLED = """
ALTER TABLE cpor.contacts
    ALTER name SET STATISTICS 0, ALTER title SET STATISTICS 0, ALTER email SET STATISTICS 0
"""


def upgrade() -> None:
    """Sample them no more."""
    op.execute(UNSAMPLED)

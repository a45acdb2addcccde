"""Views of the claims list that people have saved."""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SAVED_VIEWS = """
CREATE TABLE cpor.saved_views (
    view_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role text NOT NULL,
    org text NOT NULL,
    actor_id text NOT NULL,
    name text NOT NULL,
    query text NOT NULL,
    UNIQUE (role, org, actor_id, name)
);
COMMENT ON TABLE cpor.saved_views IS
    'Views of the claims list by their owners; of people without an organisation org is empty';
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(SAVED_VIEWS)

"""Upstream systems that are told of events by webhooks, and how far each has been told."""

from collections.abc import Sequence

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Where in the log a reminder became due: webhooks tell of it after the event at that position.
REMINDED = """
ALTER TABLE cpor.notices ADD COLUMN position bigint;
CREATE INDEX notices_target_soon_idx ON cpor.notices (position, notice_id)
    WHERE kind = 'target_soon';
"""
WEBHOOKS = """
CREATE TABLE cpor.webhooks (
    webhook_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL,
    org text,
    events text[],
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    position bigint NOT NULL,
    notice_id bigint NOT NULL,
    replays int NOT NULL DEFAULT 0,
    parked boolean NOT NULL DEFAULT false,
    attempts int NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_at timestamptz NOT NULL DEFAULT now(),
    words text NOT NULL DEFAULT ''
);
COMMENT ON TABLE cpor.webhooks IS
    'Whom upstream of events is told what; org and events: null for all';
"""


def upgrade() -> None:
    """Make the table."""
    for statements in (REMINDED, WEBHOOKS):
        op.execute(statements)

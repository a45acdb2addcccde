"""What people are to be told, the reminders ahead, and the development mailbox."""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The key's columns are those of the event, who is told and what: no event tells anybody twice.
NOTICES = """
CREATE TABLE cpor.notices (
    notice_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claim_id uuid NOT NULL,
    version int NOT NULL,
    kind text NOT NULL,
    number smallint NOT NULL,
    recipient text NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    attempts int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    next_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    address_digest bytea,
    words text NOT NULL DEFAULT '',
    UNIQUE (claim_id, version, recipient, kind, number)
);
CREATE INDEX notices_waiting_idx ON cpor.notices (next_at, notice_id) WHERE state = 'waiting';
CREATE INDEX notices_parked_idx ON cpor.notices (ended_at) WHERE state = 'parked';
CREATE INDEX notices_sent_idx ON cpor.notices (address_digest, ended_at) WHERE state = 'sent';
COMMENT ON TABLE cpor.notices IS
    'The outbox: who is told of which event; people by reference only, so that they can be erased';
"""
REMINDERS = """
CREATE TABLE cpor.reminders (
    claim_id uuid NOT NULL,
    kind text NOT NULL,
    number smallint NOT NULL,
    version int NOT NULL,
    remind_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (claim_id, kind, number)
);
CREATE INDEX reminders_remind_at_idx ON cpor.reminders (remind_at);
COMMENT ON TABLE cpor.reminders IS 'What is told of open clocks later; gone when the clock closes';
"""
# What happened before there were notices is told to nobody.
POSITION = """
CREATE TABLE cpor.notifier_position (position bigint NOT NULL);
INSERT INTO cpor.notifier_position
SELECT coalesce(max(notification_id), 0) FROM cpor.stored_events;
"""
MAILBOX = """
CREATE TABLE cpor.mailbox (
    mail_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    recipients text[] NOT NULL,
    message bytea NOT NULL
);
COMMENT ON TABLE cpor.mailbox IS 'What the development mailbox has caught, the last of it';
"""
PREFERENCES = """
CREATE TABLE cpor.mail_preferences (
    address_digest bytea PRIMARY KEY,
    reminders boolean NOT NULL,
    language text,
    time_zone text
);
COMMENT ON TABLE cpor.mail_preferences IS
    'How people like to hear from us; they are known by a keyed digest of their address';
"""


def upgrade() -> None:
    """Make the tables."""
    for statements in (NOTICES, REMINDERS, POSITION, MAILBOX, PREFERENCES):
        op.execute(statements)

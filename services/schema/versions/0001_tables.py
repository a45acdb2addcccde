"""The event store, what stands beside it, and the projections."""

from collections.abc import Sequence

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STORE = """
CREATE TABLE cpor.stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
);
CREATE UNIQUE INDEX stored_events_notification_id_idx ON cpor.stored_events (notification_id);

CREATE TABLE cpor.contacts (
    contact_id uuid PRIMARY KEY,
    claim_id uuid NOT NULL,
    name text NOT NULL,
    title text,
    email text NOT NULL
);
CREATE INDEX contacts_claim_id_idx ON cpor.contacts (claim_id);
COMMENT ON TABLE cpor.contacts IS 'R30: personal data, kept apart from history';

CREATE TABLE cpor.documents (
    digest text NOT NULL,
    org text NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (digest, org, filename)
);
COMMENT ON TABLE cpor.documents IS 'What was uploaded, by which organisation';

CREATE TABLE cpor.secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE cpor.simulated_clock (
    since timestamptz PRIMARY KEY,
    offset_by interval,
    frozen_at timestamptz
);
COMMENT ON TABLE cpor.simulated_clock IS
    'A log of movements: the last one before a real moment tells the simulated time of it';
"""

PROJECTIONS = """
CREATE TABLE cpor.projection_positions (
    name text PRIMARY KEY,
    position bigint NOT NULL
);

CREATE TABLE cpor.claim_board (
    claim_id uuid NOT NULL,
    version integer NOT NULL,
    org text NOT NULL,
    status text NOT NULL,
    whose_turn text NOT NULL,
    due_at timestamptz,
    due_soon_at timestamptz,
    passed boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    claim json NOT NULL,
    CONSTRAINT claim_board_pkey PRIMARY KEY (claim_id)
);
CREATE INDEX claim_board_due_idx
    ON cpor.claim_board (coalesce(due_at, 'infinity'::timestamptz), claim_id);
CREATE INDEX claim_board_updated_idx ON cpor.claim_board (updated_at, claim_id);
CREATE INDEX claim_board_created_idx ON cpor.claim_board (created_at, claim_id);
CREATE INDEX claim_board_org_idx ON cpor.claim_board (org, updated_at, claim_id);
CREATE INDEX claim_board_turn_idx
    ON cpor.claim_board (whose_turn, coalesce(due_at, 'infinity'::timestamptz), claim_id)
    WHERE whose_turn IN ('partner', 'reviewer');
CREATE INDEX claim_board_passed_idx ON cpor.claim_board (claim_id) WHERE passed;
CREATE INDEX claim_board_due_soon_idx ON cpor.claim_board (due_soon_at)
    WHERE due_soon_at IS NOT NULL AND NOT passed;

CREATE TABLE cpor.claim_words (
    claim_id uuid NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT claim_words_pkey PRIMARY KEY (claim_id)
);
CREATE INDEX claim_words_words_idx ON cpor.claim_words USING gin (words);

CREATE TABLE cpor.board_counts (
    org text NOT NULL,
    status text NOT NULL,
    whose_turn text NOT NULL,
    missed boolean NOT NULL,
    claims bigint NOT NULL,
    CONSTRAINT board_counts_pkey PRIMARY KEY (org, status, whose_turn, missed)
);

CREATE TABLE cpor.open_clocks (
    claim_id uuid NOT NULL,
    clock text NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    passed boolean NOT NULL,
    CONSTRAINT open_clocks_pkey PRIMARY KEY (claim_id)
);
CREATE INDEX open_clocks_due_idx ON cpor.open_clocks (due_at, claim_id) WHERE NOT passed;
"""


def upgrade() -> None:
    """Make the tables in the schema `cpor`, which is there."""
    op.execute(STORE)
    op.execute(PROJECTIONS)

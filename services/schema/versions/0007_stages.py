"""The stages of claims, for the figures of the dashboard."""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STAGES = """
CREATE TABLE cpor.claim_progress (
    claim_id uuid NOT NULL,
    version integer NOT NULL,
    org text NOT NULL,
    created_at timestamptz NOT NULL,
    step smallint NOT NULL,
    stage text NOT NULL,
    entered_at timestamptz NOT NULL,
    missed boolean NOT NULL,
    CONSTRAINT claim_progress_pkey PRIMARY KEY (claim_id)
);
CREATE INDEX claim_progress_created_idx ON cpor.claim_progress (created_at);
CREATE INDEX claim_progress_org_idx ON cpor.claim_progress (org, created_at);
COMMENT ON TABLE cpor.claim_progress IS
    'The stage that each claim is in, and how far it has come (a projection)';

CREATE TABLE cpor.claim_stages (
    claim_id uuid NOT NULL,
    version integer NOT NULL,
    org text NOT NULL,
    stage text NOT NULL,
    entered_at timestamptz NOT NULL,
    left_at timestamptz NOT NULL,
    minutes integer NOT NULL,
    missed boolean NOT NULL,
    reasons text[],
    CONSTRAINT claim_stages_pkey PRIMARY KEY (claim_id, version)
);
CREATE INDEX claim_stages_left_idx ON cpor.claim_stages (left_at);
CREATE INDEX claim_stages_org_idx ON cpor.claim_stages (org, left_at);
COMMENT ON TABLE cpor.claim_stages IS
    'Every stage that a claim has left, when, and whether its clock had passed (a projection)';
"""


def upgrade() -> None:
    """Make the tables; the projector fills them from the log's first event on."""
    op.execute(STAGES)

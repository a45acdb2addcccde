"""The claim board's orders, each within the places where claims stand."""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PLACES = """
DROP INDEX cpor.claim_board_due_idx, cpor.claim_board_updated_idx, cpor.claim_board_created_idx,
    cpor.claim_board_turn_idx, cpor.claim_board_passed_idx, cpor.claim_board_due_soon_idx;
CREATE INDEX claim_board_place_due_idx ON cpor.claim_board (
    (CASE WHEN status = 'rejected' AND due_at IS NULL THEN 'final'
        ELSE status || ' ' || whose_turn END),
    coalesce(due_at, 'infinity'::timestamptz), claim_id,
    coalesce(due_soon_at, 'infinity'::timestamptz)
);
CREATE INDEX claim_board_place_updated_idx ON cpor.claim_board (
    (CASE WHEN status = 'rejected' AND due_at IS NULL THEN 'final'
        ELSE status || ' ' || whose_turn END),
    updated_at, claim_id
);
CREATE INDEX claim_board_place_created_idx ON cpor.claim_board (
    (CASE WHEN status = 'rejected' AND due_at IS NULL THEN 'final'
        ELSE status || ' ' || whose_turn END),
    created_at, claim_id
);
CREATE INDEX claim_board_passed_idx
    ON cpor.claim_board (coalesce(due_at, 'infinity'::timestamptz)) WHERE passed;
CREATE INDEX claim_board_due_soon_idx
    ON cpor.claim_board (coalesce(due_soon_at, 'infinity'::timestamptz))
    WHERE due_soon_at IS NOT NULL AND NOT passed;
ANALYZE cpor.claim_board;
"""


def upgrade() -> None:
    """Index anew what is on the board; a minute for a million claims."""
    op.execute(PLACES)

"""The projections' tables as SQLAlchemy sees them: for composed queries, and to make them anew.

The migrations made them first; a test holds the two together.
"""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnClause,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, TSVECTOR

METADATA = MetaData(schema="cpor")

_INSTANT = TIMESTAMP(timezone=True)
_NEVER: ColumnClause[datetime] = literal_column("'infinity'::timestamp with time zone", _INSTANT)

claim_board = Table(
    "claim_board",
    METADATA,
    Column("claim_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("org", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("whose_turn", Text, nullable=False),
    Column("due_at", _INSTANT),
    Column("due_soon_at", _INSTANT),
    Column("passed", Boolean, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    Column("claim", JSON, nullable=False),
    PrimaryKeyConstraint("claim_id", name="claim_board_pkey"),
)
due_or_never = func.coalesce(claim_board.c.due_at, _NEVER)
"""When a claim is due, for sorting: claims without an open clock come after all others."""
soon_or_never = func.coalesce(claim_board.c.due_soon_at, _NEVER)
"""From when on it is due soon."""
place: ColumnClause[str] = literal_column(
    "(CASE WHEN status = 'rejected' AND due_at IS NULL THEN 'final'"
    " ELSE status || ' ' || whose_turn END)",
    Text,
)
"""Where a claim stands: its status and whose turn it is, apart from those that are rejected for
good, which are many in the end. Each place has its claims in every order."""

Index("claim_board_place_due_idx", place, due_or_never, claim_board.c.claim_id, soon_or_never)
Index("claim_board_place_updated_idx", place, claim_board.c.updated_at, claim_board.c.claim_id)
Index("claim_board_place_created_idx", place, claim_board.c.created_at, claim_board.c.claim_id)
Index("claim_board_org_idx", claim_board.c.org, claim_board.c.updated_at, claim_board.c.claim_id)
Index("claim_board_passed_idx", due_or_never, postgresql_where=text("passed"))
Index(
    "claim_board_due_soon_idx",
    soon_or_never,
    postgresql_where=text("due_soon_at IS NOT NULL AND NOT passed"),
)

claim_words = Table(
    "claim_words",
    METADATA,
    Column("claim_id", Uuid, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    PrimaryKeyConstraint("claim_id", name="claim_words_pkey"),
)
Index("claim_words_words_idx", claim_words.c.words, postgresql_using="gin")

board_counts = Table(
    "board_counts",
    METADATA,
    Column("org", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("whose_turn", Text, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("claims", BigInteger, nullable=False),
    PrimaryKeyConstraint("org", "status", "whose_turn", "missed", name="board_counts_pkey"),
)

open_clocks = Table(
    "open_clocks",
    METADATA,
    Column("claim_id", Uuid, nullable=False),
    Column("clock", Text, nullable=False),
    Column("opened_at", _INSTANT, nullable=False),
    Column("due_at", _INSTANT, nullable=False),
    Column("passed", Boolean, nullable=False),
    PrimaryKeyConstraint("claim_id", name="open_clocks_pkey"),
)
Index(
    "open_clocks_due_idx",
    open_clocks.c.due_at,
    open_clocks.c.claim_id,
    postgresql_where=text("NOT passed"),
)

claim_progress = Table(
    "claim_progress",
    METADATA,
    Column("claim_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("org", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("step", SmallInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("entered_at", _INSTANT, nullable=False),
    Column("missed", Boolean, nullable=False),
    PrimaryKeyConstraint("claim_id", name="claim_progress_pkey"),
)
Index("claim_progress_created_idx", claim_progress.c.created_at)
Index("claim_progress_org_idx", claim_progress.c.org, claim_progress.c.created_at)

claim_stages = Table(
    "claim_stages",
    METADATA,
    Column("claim_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("org", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("entered_at", _INSTANT, nullable=False),
    Column("left_at", _INSTANT, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("reasons", ARRAY(Text)),
    PrimaryKeyConstraint("claim_id", "version", name="claim_stages_pkey"),
)
Index(
    "claim_stages_left_idx",
    claim_stages.c.left_at,
    postgresql_include=["stage", "minutes", "missed"],
)
Index(
    "claim_stages_rejected_idx",
    claim_stages.c.left_at,
    postgresql_where=text("reasons IS NOT NULL"),
)
Index("claim_stages_org_idx", claim_stages.c.org, claim_stages.c.left_at)

projection_positions = Table(
    "projection_positions",
    METADATA,
    Column("name", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", name="projection_positions_pkey"),
)

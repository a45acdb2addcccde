"""How a batch of events is appended: one function, one statement, one commit."""

from collections.abc import Sequence

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The advisory lock lets commits come one after the other, so that positions become visible in their
# order and no reader of the log passes over one that is yet to appear.
APPEND = """
CREATE FUNCTION cpor.append(
    originator_ids uuid[], originator_versions bigint[], topics text[], states bytea[],
    contact_ids uuid[], contact_claims uuid[], names text[], titles text[], emails text[]
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('cpor append'));
    PERFORM pg_notify('cpor_events', '');
    INSERT INTO cpor.contacts (contact_id, claim_id, name, title, email)
        SELECT * FROM unnest(contact_ids, contact_claims, names, titles, emails);
    RETURN QUERY
        INSERT INTO cpor.stored_events (originator_id, originator_version, topic, state)
        SELECT id, version, topic, state
        FROM unnest(originator_ids, originator_versions, topics, states)
            WITH ORDINALITY AS event(id, version, topic, state, place)
        ORDER BY place
        RETURNING notification_id;
END
$$;
COMMENT ON FUNCTION cpor.append IS
    'Appends events and the contacts they refer to; returns their positions';
"""


def upgrade() -> None:
    """Make the function."""
    op.execute(APPEND)

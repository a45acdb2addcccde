"""What happened to claims last, as far as their reader may know."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from markupsafe import Markup
from psycopg import AsyncConnection

from domain.access import may_read_internal_notes
from domain.actor import Actor
from projections.board import ClaimRow
from services.language.translation import N_
from services.web.page.moment import ago, timed
from services.web.page.taste import Taste


class LastEvent(NamedTuple):
    """An event by its name, and when it happened."""

    name: str
    at: datetime


WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "created": N_("Created"),
        "edited": N_("Edited"),
        "poe_attached": N_("Proof attached"),
        "submitted": N_("Submitted"),
        "resubmitted": N_("Resubmitted"),
        "review_started": N_("Review started"),
        "reviewer_assigned": N_("Reviewer assigned"),
        "action_required": N_("Action required"),
        "approved": N_("Approved"),
        "rejected": N_("Rejected"),
        "consent_declined": N_("Customer declined"),
        "rejection_requested": N_("Rejection requested"),
        "commented": N_("Comment"),
        "disputed": N_("Disputed"),
        "dispute_upheld": N_("Dispute upheld"),
        "dispute_dismissed": N_("Dispute dismissed"),
        "assessment_recorded": N_("Assessment recorded"),
        "review_start_overdue": N_("Start of review overdue"),
        "review_overdue": N_("Decision overdue"),
        "dispute_result_overdue": N_("Decision on dispute overdue"),
        "partner_response_expired": N_("No response in time"),
        "consent_elapsed": N_("Consent period over"),
        "sent_for_assessment": N_("Sent for assessment"),
        "dispute_window_closed": N_("Dispute window closed"),
    }
)
"""What events are called, to be translated."""


async def last_events(
    connection: AsyncConnection, rows: Sequence[ClaimRow], *, reader: Actor
) -> dict[UUID, LastEvent]:
    """The last event of each row that the reader may see, internal notes left out for partners."""
    asked = {
        "claims": [row.claim_id for row in rows],
        "versions": [row.version for row in rows],
        "internal": may_read_internal_notes(reader),
    }
    found = await connection.execute(_LAST, asked)
    return {
        claim_id: LastEvent(topic.partition(".")[2], at)
        for claim_id, topic, at in await found.fetchall()
    }


def happened(at: datetime, now: datetime, taste: Taste) -> Markup:
    """How long ago it was, with UTC for whoever points at it."""
    return timed(at, ago(at, now=now, taste=taste))


_LAST: Final = """
SELECT claim.id, last.topic, (last.fact->>'timestamp')::timestamptz
FROM unnest(%(claims)s::uuid[], %(versions)s::bigint[]) AS claim (id, version), LATERAL (
    SELECT topic, fact FROM cpor.stored_events,
        LATERAL (SELECT convert_from(state, 'utf8')::json AS fact) AS read
    WHERE originator_id = claim.id AND originator_version <= claim.version
    AND (%(internal)s OR topic <> 'claim.commented' OR NOT (fact->>'internal')::boolean)
    ORDER BY originator_version DESC LIMIT 1
) AS last
"""

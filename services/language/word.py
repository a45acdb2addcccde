"""The domain's words as people read them, each with its colour and icon."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from services.language.translation import N_


class Look(NamedTuple):
    """How a value is shown: its word, to be translated, its colour, and an icon's name."""

    word: str
    tone: str = "neutral"
    """`neutral`, `info`, `busy`, `warn`, `good` or `bad`: colours of the style sheet."""
    icon: str = ""


STATUS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "editing": Look(N_("Editing"), "neutral", "pencil"),
        "submitted": Look(N_("Submitted"), "info", "send"),
        "under_review": Look(N_("Under review"), "busy", "eye"),
        "partner_action_required": Look(N_("Partner action required"), "warn", "reply"),
        "approved": Look(N_("Approved"), "good", "check-circle"),
        "rejected": Look(N_("Rejected"), "bad", "x-circle"),
    }
)
TURN: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "partner": Look(N_("Partner"), "warn", "building"),
        "reviewer": Look(N_("Reviewer"), "busy", "person-badge"),
        "customer": Look(N_("Customer"), "info", "person"),
        "nobody": Look(N_("Nobody"), "neutral", "dash-circle"),
    }
)
SLA: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "ok": Look(N_("In time"), "good", "check2"),
        "due_soon": Look(N_("Due soon"), "warn", "hourglass-split"),
        "missed": Look(N_("Missed"), "bad", "exclamation-triangle"),
    }
)
CONSENT: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "none": Look(N_("No consent period")),
        "pending": Look(N_("Consent pending"), "info", "hourglass-split"),
        "elapsed": Look(N_("Consent given by silence"), "good", "check2"),
        "declined": Look(N_("Customer declined"), "bad", "x-lg"),
    }
)
DISPUTE: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "none": Look(N_("Not disputed")),
        "open": Look(N_("Dispute open"), "busy", "flag"),
        "upheld": Look(N_("Dispute upheld"), "good", "check2"),
        "dismissed": Look(N_("Dispute dismissed"), "bad", "x-lg"),
        "window_closed": Look(N_("Dispute window closed"), "neutral", "lock"),
    }
)
ASSESSMENT: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "not_sent": Look(N_("Not sent for assessment")),
        "sent": Look(N_("Sent for assessment"), "info", "send"),
        "eligible": Look(N_("Eligible"), "good", "trophy"),
        "ineligible": Look(N_("Not eligible"), "bad", "x-lg"),
    }
)
CLOCK: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "review_start": Look(N_("Review is to start")),
        "review_decision": Look(N_("Decision is due")),
        "partner_response": Look(N_("Partner is to respond")),
        "consent": Look(N_("Customer may decline")),
        "dispute_window": Look(N_("Rejection may be disputed")),
        "dispute_result": Look(N_("Decision on the dispute is due")),
    }
)
ACTION_REASON: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "missing_all_poe": Look(N_("No usable proof: wrong file, or unrelated to the claim")),
        "missing_customer_acknowledgment": Look(
            N_("Customer's acknowledgment is missing: no signature")
        ),
        "missing_or_old_dates": Look(N_("Dates are missing or too old")),
        "missing_partner_solution": Look(N_("Partner's work is not described well enough")),
        "missing_products": Look(N_("A claimed product is not in the proof")),
    }
)
REJECTION_REASON: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "partner_request": Look(N_("At the partner's request")),
        "customer_declined": Look(N_("The customer declined")),
        "insufficient_poe": Look(N_("Proof of execution is insufficient")),
        "missing_customer_consent": Look(N_("Customer's consent is missing")),
        "missing_products": Look(N_("Claimed products are missing from the proof")),
        "no_partner_response": Look(N_("The partner did not respond in time")),
        "poe_unavailable": Look(N_("Proof of execution is unavailable")),
    }
)
SOLUTION_AREA: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "business_applications": Look(N_("Business Applications")),
        "microsoft_365": Look(N_("Microsoft 365")),
    }
)
ACTIVITY: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "presales": Look(N_("Pre-sales")),
        "usage": Look(N_("Usage")),
        "revenue_association": Look(N_("Revenue association")),
    }
)
PROGRAMME: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "osu": Look(N_("Online services usage (OSU)")),
        "osa": Look(N_("Online services advisor (OSA)")),
        "revenue_association": Look(N_("Revenue association")),
    }
)
ROLE: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "incentives_admin": Look(N_("Incentives admin"), "neutral", "building"),
        "billing_admin": Look(N_("Billing admin"), "neutral", "building"),
        "global_admin": Look(N_("Global admin"), "neutral", "building"),
        "reviewer": Look(N_("Reviewer"), "busy", "person-badge"),
        "customer": Look(N_("Customer"), "info", "person"),
        "assessor": Look(N_("Assessor"), "neutral", "trophy"),
        "auditor": Look(N_("Auditor"), "neutral", "journal-text"),
        "operator": Look(N_("Operator"), "neutral", "gear"),
        "timer": Look(N_("Timer"), "neutral", "clock"),
    }
)
SIDE: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "partner": Look(N_("Partner"), "warn", "building"),
        "reviewer": Look(N_("Reviewer"), "busy", "person-badge"),
        "customer": Look(N_("Customer"), "info", "person"),
        "system": Look(N_("System"), "neutral", "gear"),
    }
)
NOTICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "action_required": N_("Action required"),
        "approved": N_("Approved"),
        "rejected": N_("Rejected"),
        "customer_declined": N_("The customer declined"),
        "consent_elapsed": N_("The association is final"),
        "dispute_upheld": N_("Dispute upheld"),
        "dispute_dismissed": N_("Dispute dismissed"),
        "response_reminder": N_("Reminder to respond"),
        "dispute_reminder": N_("Reminder to dispute"),
        "consent_notice": N_("Notice to the customer"),
        "consent_reminder": N_("Reminder to the customer"),
        "new_work": N_("New work"),
        "target_soon": N_("Due soon"),
        "target_missed": N_("Target missed"),
    }
)
"""What mails are about."""

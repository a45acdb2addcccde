"""The words of the domain, as they stand in storage and on the wire."""

from enum import StrEnum


class Status(StrEnum):
    """The six public values of a claim's status."""

    EDITING = "editing"
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    PARTNER_ACTION_REQUIRED = "partner_action_required"
    APPROVED = "approved"
    REJECTED = "rejected"


class Consent(StrEnum):
    """What the customer's consent period has come to."""

    NONE = "none"
    PENDING = "pending"
    ELAPSED = "elapsed"
    DECLINED = "declined"


class Dispute(StrEnum):
    """What has become of the claim's one possible dispute."""

    NONE = "none"
    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    WINDOW_CLOSED = "window_closed"


class Assessment(StrEnum):
    """Where the claim stands in the later check for incentives."""

    NOT_SENT = "not_sent"
    SENT = "sent"
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"


class AssessmentResult(StrEnum):
    """What an assessor may record for one programme (R29)."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"


class Programme(StrEnum):
    """The incentive programmes that a claim may be assessed for (R29)."""

    OSU = "osu"
    OSA = "osa"
    REVENUE_ASSOCIATION = "revenue_association"


class ClockName(StrEnum):
    """The six clocks of R15a to R15f."""

    REVIEW_START = "review_start"
    REVIEW_DECISION = "review_decision"
    PARTNER_RESPONSE = "partner_response"
    CONSENT = "consent"
    DISPUTE_WINDOW = "dispute_window"
    DISPUTE_RESULT = "dispute_result"


class ActionReason(StrEnum):
    """Why reviewers require partner action: exactly five (R19)."""

    MISSING_ALL_POE = "missing_all_poe"
    MISSING_CUSTOMER_ACKNOWLEDGMENT = "missing_customer_acknowledgment"
    MISSING_OR_OLD_DATES = "missing_or_old_dates"
    MISSING_PARTNER_SOLUTION = "missing_partner_solution"
    MISSING_PRODUCTS = "missing_products"


class RejectionReason(StrEnum):
    """Why a claim is rejected (R20)."""

    PARTNER_REQUEST = "partner_request"
    CUSTOMER_DECLINED = "customer_declined"
    INSUFFICIENT_POE = "insufficient_poe"
    MISSING_CUSTOMER_CONSENT = "missing_customer_consent"
    MISSING_PRODUCTS = "missing_products"
    NO_PARTNER_RESPONSE = "no_partner_response"
    POE_UNAVAILABLE = "poe_unavailable"


class SolutionArea(StrEnum):
    """The part of the vendor's portfolio that a claim is about."""

    BUSINESS_APPLICATIONS = "business_applications"
    MICROSOFT_365 = "microsoft_365"


class Activity(StrEnum):
    """What the partner did for the customer."""

    PRESALES = "presales"
    USAGE = "usage"
    REVENUE_ASSOCIATION = "revenue_association"


class Role(StrEnum):
    """Who an actor is (R25)."""

    INCENTIVES_ADMIN = "incentives_admin"
    BILLING_ADMIN = "billing_admin"
    GLOBAL_ADMIN = "global_admin"
    REVIEWER = "reviewer"
    CUSTOMER = "customer"
    ASSESSOR = "assessor"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    TIMER = "timer"


class Side(StrEnum):
    """The side of the table from which something was done (R24)."""

    PARTNER = "partner"
    REVIEWER = "reviewer"
    CUSTOMER = "customer"
    SYSTEM = "system"


class Turn(StrEnum):
    """Whose move it is."""

    PARTNER = "partner"
    REVIEWER = "reviewer"
    CUSTOMER = "customer"
    NOBODY = "nobody"


class Sla(StrEnum):
    """How the open clock stands."""

    OK = "ok"
    DUE_SOON = "due_soon"
    MISSED = "missed"

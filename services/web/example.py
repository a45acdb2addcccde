"""Examples for the API's description: what is sent, and what is answered."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

CLAIM_ID: Final = "6f1c1a0e-9f3b-4a57-8d0e-2a7c5b1f4e90"

_DOCUMENT: Final = {
    "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "filename": "statement-of-work.pdf",
    "media_type": "application/pdf",
    "size": 48213,
}
_CLAIM: Final = {
    "name": "Teams rollout at Contoso",
    "mpn_id": "4567890",
    "customer": {
        "name": "Contoso",
        "domain": "contoso.example",
        "tenant_id": "11111111-2222-4333-8444-555555555555",
    },
    "solution_area": "microsoft_365",
    "activities": ["usage"],
    "products": ["teams", "exchange"],
    "subscription_ids": [],
    "customer_contact": {"name": "Zeynep Ak", "title": "CIO", "email": "zeynep@contoso.example"},
    "partner_contact": {"name": "Ayşe Demir", "email": "ayse@partner.example"},
}

DATA: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "create_claim": _CLAIM,
        "edit_claim": {"products": ["teams"]},
        "attach_poe": {"document": _DOCUMENT, "note": "signed on both sides"},
        "submit_claim": {},
        "start_review": {},
        "assign_reviewer": {"reviewer": "selin"},
        "require_action": {
            "reasons": ["missing_products"],
            "products": ["exchange"],
            "comment": "The statement of work does not mention Exchange.",
        },
        "resubmit_claim": {"comment": "Added the signed annex."},
        "approve_claim": {"note": "Complete."},
        "reject_claim": {"reasons": ["insufficient_poe"], "note": "The work is not described."},
        "decline_consent": {"reason": "Not our partner."},
        "request_rejection": {"explanation": "Claimed under the wrong location."},
        "open_dispute": {"justification": "The annex describes the work.", "documents": []},
        "uphold_dispute": {"note": "The annex is convincing."},
        "dismiss_dispute": {"note": "The annex is of another project."},
        "post_comment": {"text": "When can we expect an answer?"},
        "record_assessment": {"programme": "osu", "result": "eligible"},
        "pass_deadline": {"clock": "consent", "due_at": "2031-06-02T00:00:00Z"},
    }
)
"""The data of each command."""

OUTCOME: Final[dict[str, Any]] = {
    "command": "submit_claim",
    "command_id": "3f9c2a1b-submit",
    "result": "accepted",
    "version": 3,
    "events": ["submitted"],
    "position": 1042,
}

PROBLEM: Final[dict[str, Any]] = {
    "type": "/problems/not_possible",
    "title": "Not possible in this status",
    "status": 409,
    "detail": "edit_claim is not possible in the state under_review",
    "rule": "R21",
    "claim_status": "under_review",
}

CLAIM: Final[dict[str, Any]] = {
    "claim_id": CLAIM_ID,
    "version": 5,
    "org": "1234567",
    **_CLAIM,
    "documents": [
        {**_DOCUMENT, "note": "signed on both sides", "attached_at": "2031-05-19T08:02:11Z"}
    ],
    "status": "approved",
    "consent": "pending",
    "dispute": "none",
    "assessment": "not_sent",
    "assessments": [],
    "sla": "ok",
    "whose_turn": "customer",
    "due_at": "2031-06-02T00:00:00Z",
    "clocks": [
        {
            "clock": "consent",
            "opened_at": "2031-05-25T14:31:07Z",
            "due_at": "2031-06-02T00:00:00Z",
            "passed": False,
        }
    ],
    "decision_target_at": "2031-06-04T00:00:00Z",
    "reviewer": "Reviewer",
    "rejection_reasons": [],
    "action_reasons": [],
    "supersedes": None,
    "policy": "seed-2021",
    "created_at": "2031-05-19T08:00:00Z",
    "submitted_at": "2031-05-20T09:15:42Z",
    "decided_at": "2031-05-25T14:31:07Z",
    "updated_at": "2031-05-25T14:31:07Z",
}

"""What happens in the demo: its days, and the life of each of its claims. First day: a Monday."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from services.demo.cast import Part
from services.demo.ending import (
    ASKED,
    CONSENT,
    DECLINED,
    DISMISSED,
    DISPUTE_UNANSWERED,
    DISPUTED,
    DRAFT,
    ELIGIBLE,
    IN_REVIEW,
    IN_REVIEW_LATE,
    INELIGIBLE,
    REJECTED,
    REJECTED_CLOSED,
    SENT,
    UNANSWERED,
    UNANSWERED_CLOSED,
    UPHELD,
    WAITING,
    WAITING_LATE,
    WITHDRAWN,
    Ending,
)

BEGINNING = datetime(2031, 3, 3, 8, tzinfo=UTC)
"""A Monday morning."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")

CHAPTERS: Mapping[str, str] = MappingProxyType(
    {
        "1 Mon": "Partners claim the customers they worked for, with signed documents as proof.",
        "1 Tue": "Reviewers take up the first claims; one partner withdraws: wrong MPN id.",
        "1 Wed": "What is proven is approved. The customers are told; silence will be consent.",
        "1 Thu": "What is not proven: reviewers ask the partner for more, or reject.",
        "1 Fri": "A customer who sees it differently declines: the claim is rejected at once.",
        "2 Mon": "Partners answer with better documents and resubmit. A draft is dropped.",
        "2 Wed": "Reviewers look again; partners dispute rejections within their 30 days.",
        "2 Fri": "7 days of silence: consent. 5 business days without an answer: rejected.",
        "3 Mon": "Claims that went on to be assessed: some earn an incentive, some don't.",
        "3 Wed": "Another reviewer than the one who rejected decides a dispute.",
        "4 Mon": "Nobody answered within a dispute: the timer has dismissed it.",
        "4 Thu": "A partner gives up an approved claim: they no longer work together.",
        "5 Mon": "The next round of claims.",
        "5 Thu": "Some claims will now wait too long; their reviewers have 5 business days.",
        "6 Mon": "The first dispute windows have closed; now only a new claim is possible.",
        "6 Thu": "The new claim, which names the one it supersedes, is reviewed.",
        "6 Fri": "Two targets were missed: flagged for everybody, but no status changes.",
        "7 Mon": "Six weeks in: fresh drafts, fresh claims, fresh questions.",
        "7 Tue": "This is how things stand today.",
    }
)
"""The days on which something is told, as week and weekday, each with its caption."""


def instant(day: str) -> datetime:
    """The morning of a day such as `2 Wed`."""
    week, weekday = day.split()
    return BEGINNING + timedelta(weeks=int(week) - 1, days=_DAYS.index(weekday))


class Deed(StrEnum):
    """What somebody does to a claim on a day."""

    DRAFT = "draft"
    """Create it, without handing it in."""
    CLAIM = "claim"
    """Create it, attach the proof, submit it."""
    REVIEW = "review"
    APPROVE = "approve"
    ASK = "ask"
    """Require partner action."""
    ANSWER = "answer"
    """Attach what was asked for, and resubmit."""
    EDIT = "edit"
    NOTE = "note"
    """A comment of the reviewer, for reviewers only."""
    HAND_OVER = "hand_over"
    """Assign another reviewer."""
    REJECT = "reject"
    DECLINE = "decline"
    """The customer declines."""
    WITHDRAW = "withdraw"
    DISPUTE = "dispute"
    UPHOLD = "uphold"
    DISMISS = "dismiss"
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"


class Life(NamedTuple):
    """One claim's story."""

    ending: Ending
    plan: str
    """Days, separated by semicolons: week, weekday, deeds."""
    supersedes: int | None = None
    """The number of the claim that it supersedes."""

    def predecessor(self, parts: Sequence[Part]) -> Part | None:
        """Of these parts, in the order of LIVES, the one that it supersedes."""
        return None if self.supersedes is None else parts[self.supersedes]

    def days(self) -> Iterator[tuple[str, list[Deed]]]:
        """Each day with its deeds, in order."""
        for entry in self.plan.split(";"):
            week, weekday, *deeds = entry.split()
            yield f"{week} {weekday}", [Deed(deed) for deed in deeds]


LIVES = (
    # Withdrawn in every status that a partner may withdraw in.
    Life(WITHDRAWN, "1 Mon draft; 2 Mon withdraw"),
    Life(WITHDRAWN, "1 Mon claim; 1 Tue withdraw"),
    Life(WITHDRAWN, "2 Mon claim; 2 Wed review; 2 Fri withdraw"),
    Life(WITHDRAWN, "3 Mon claim; 3 Wed review; 4 Mon approve; 4 Thu withdraw"),
    # Approved: silence, and then the assessment.
    Life(ELIGIBLE, "1 Wed claim; 1 Thu review; 1 Fri approve; 3 Mon eligible", supersedes=1),
    Life(ELIGIBLE, "1 Mon claim; 1 Tue review; 1 Wed approve; 3 Mon eligible"),
    Life(ELIGIBLE, "1 Mon claim; 1 Wed review approve; 3 Mon ineligible; 4 Mon eligible"),
    Life(ELIGIBLE, "1 Tue claim; 1 Thu review hand_over; 1 Fri approve; 3 Mon eligible"),
    Life(
        ELIGIBLE,
        "1 Mon claim; 1 Tue review; 1 Thu ask; 2 Mon answer; 2 Wed review approve; 4 Mon eligible",
    ),
    Life(
        ELIGIBLE,
        "1 Mon claim; 1 Wed review; 1 Thu note ask;"
        " 2 Mon edit answer; 2 Wed review; 2 Fri approve; 4 Mon eligible",
    ),
    Life(INELIGIBLE, "1 Mon claim; 1 Tue review; 1 Wed approve; 3 Mon ineligible"),
    Life(INELIGIBLE, "2 Mon claim; 2 Wed review; 2 Fri approve; 4 Mon ineligible"),
    Life(SENT, "1 Mon claim; 1 Tue review; 1 Wed approve"),
    Life(SENT, "2 Mon claim; 2 Wed review; 2 Fri approve"),
    Life(SENT, "3 Mon claim; 3 Wed review; 4 Mon approve"),
    # Approved: the customer declines.
    Life(DECLINED, "1 Mon claim; 1 Tue review; 1 Wed approve; 1 Fri decline"),
    Life(DECLINED, "2 Mon claim; 2 Wed review approve; 2 Fri decline"),
    Life(DECLINED, "3 Mon claim; 3 Wed review approve; 4 Mon decline"),
    # Not answered.
    Life(UNANSWERED_CLOSED, "1 Mon claim; 1 Tue review; 1 Wed ask"),
    Life(UNANSWERED, "4 Mon claim; 4 Thu review ask"),
    # Rejected, and perhaps disputed.
    Life(REJECTED_CLOSED, "1 Mon claim; 1 Tue review; 1 Thu reject"),
    Life(REJECTED_CLOSED, "1 Mon claim; 1 Tue review note; 1 Thu reject"),
    Life(REJECTED, "5 Mon claim; 5 Thu review; 6 Mon reject"),
    Life(DISPUTED, "5 Mon claim; 5 Thu review reject; 7 Mon dispute"),
    Life(UPHELD, "1 Mon claim; 1 Tue review; 1 Thu reject; 2 Wed dispute; 2 Fri uphold"),
    Life(
        UPHELD,
        "1 Mon claim; 1 Tue review; 1 Thu reject;"
        " 2 Wed dispute; 2 Fri ask; 3 Mon answer; 3 Wed uphold",
    ),
    Life(DISMISSED, "1 Mon claim; 1 Tue review; 1 Thu reject; 2 Wed dispute; 3 Wed dismiss"),
    Life(DISPUTE_UNANSWERED, "1 Mon claim; 1 Tue review; 1 Thu reject; 2 Wed dispute; 2 Fri ask"),
    # Still going on when the demo ends.
    Life(CONSENT, "6 Mon claim; 6 Thu review; 6 Fri approve", supersedes=21),
    Life(CONSENT, "6 Mon claim; 6 Thu review; 7 Mon approve"),
    Life(WAITING_LATE, "5 Thu claim"),
    Life(IN_REVIEW_LATE, "5 Mon claim; 5 Thu review"),
    Life(IN_REVIEW, "6 Fri claim; 7 Mon review"),
    Life(IN_REVIEW, "6 Fri claim; 7 Mon review note"),
    Life(ASKED, "6 Thu claim; 6 Fri review; 7 Mon ask"),
    Life(ASKED, "6 Thu claim; 6 Fri review; 7 Mon ask"),
    Life(WAITING, "7 Mon claim"),
    Life(WAITING, "7 Mon claim"),
    Life(DRAFT, "1 Mon draft"),
    Life(DRAFT, "7 Mon draft"),
)

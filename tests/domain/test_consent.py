"""Consent: the customer may opt out; silence is consent."""

import pytest

from domain.claim import ClaimEvent
from domain.lifecycle import Phase
from domain.refusal import NotPossible, NotYetDue, TooLate
from domain.vocabulary import Assessment, ClockName, Consent, Dispute, RejectionReason, Status
from tests.domain.examples import (
    CONSENT_DUE,
    CONSENT_ELAPSED,
    CONSENT_PENDING,
    CUSTOMER,
    DECLINED,
    PARTNER,
    RESUBMITTED_AT,
    TIMER,
    UNDER_REVIEW,
    UPHELD,
    approved,
    consent_declined,
    consent_elapsed,
    given,
    instant,
    refused,
    rejected_for_good,
    sent_for_assessment,
    stated,
)

LAST_MOMENT = instant("2021-05-17T23:59:59.999999Z")
EXPIRY_IS_GONE = NotPossible(
    "no clock consent that is due at this instant is open", rule="R18", status="rejected"
)


@pytest.mark.rule("R8")
def test_the_customer_declines() -> None:
    """The claim is rejected for that reason alone, finally, and no clock is left."""
    claim = given(*CONSENT_PENDING)

    claim.decline_consent(reason="Not our partner.", cause=CUSTOMER, now=RESUBMITTED_AT)

    assert stated(claim) == [
        consent_declined(reason="Not our partner."),
        rejected_for_good(RejectionReason.CUSTOMER_DECLINED, at=RESUBMITTED_AT, cause=CUSTOMER),
    ]
    assert (claim.status, claim.consent) == (Status.REJECTED, Consent.DECLINED)
    assert claim.rejection_reasons == (RejectionReason.CUSTOMER_DECLINED,)
    assert claim.phase is Phase.FINAL
    assert claim.clock is None


@pytest.mark.rule("R8")
@pytest.mark.rule("R9")
def test_a_declined_claim_is_never_sent_for_assessment() -> None:
    """The timer that was armed for the consent period finds nothing to pass."""
    claim = given(*DECLINED)

    with refused(claim, EXPIRY_IS_GONE):
        claim.pass_deadline(
            clock=ClockName.CONSENT, due_at=CONSENT_DUE, cause=TIMER, now=CONSENT_DUE
        )

    assert claim.assessment is Assessment.NOT_SENT


@pytest.mark.rule("R8")
@pytest.mark.parametrize(
    ("history", "phase"),
    [(UNDER_REVIEW, "under_review"), (DECLINED, "rejected_final")],
    ids=["before approval", "twice"],
)
def test_the_customer_can_decline_only_what_is_pending(
    history: tuple[ClaimEvent, ...], phase: str
) -> None:
    """There is nothing to decline before an approval, nor after having declined."""
    claim = given(*history)

    with refused(
        claim,
        NotPossible(
            f"decline_consent is not possible in the state {phase}",
            rule="R8",
            status=claim.status,
        ),
    ):
        claim.decline_consent(cause=CUSTOMER, now=RESUBMITTED_AT)


@pytest.mark.rule("R8")
@pytest.mark.rule("R16")
def test_consent_can_be_declined_until_the_last_microsecond() -> None:
    """One microsecond before the due instant is in time."""
    claim = given(*CONSENT_PENDING)

    claim.decline_consent(cause=CUSTOMER, now=LAST_MOMENT)

    assert claim.consent is Consent.DECLINED


@pytest.mark.rule("R8")
@pytest.mark.rule("R16")
def test_consent_cannot_be_declined_at_the_due_instant() -> None:
    """Exactly at the due instant the period has passed, before its timer says so too."""
    claim = given(*UNDER_REVIEW, approved(consent_due=CONSENT_DUE))

    with refused(claim, TooLate("the consent period has passed", rule="R8")):
        claim.decline_consent(cause=CUSTOMER, now=CONSENT_DUE)


@pytest.mark.rule("R9")
@pytest.mark.rule("R15d")
@pytest.mark.parametrize("now", ["2021-05-18T00:00Z", "2021-05-20T07:30Z"])
def test_silence_is_consent(now: str) -> None:
    """When the period has passed the claim stays approved and is sent for assessment."""
    claim = given(*CONSENT_PENDING)

    claim.pass_deadline(clock=ClockName.CONSENT, due_at=CONSENT_DUE, cause=TIMER, now=instant(now))

    assert stated(claim) == [
        consent_elapsed(CONSENT_DUE, at=instant(now)),
        sent_for_assessment(at=instant(now)),
    ]
    assert (claim.status, claim.consent) == (Status.APPROVED, Consent.ELAPSED)
    assert claim.assessment is Assessment.SENT
    assert claim.clock is None


@pytest.mark.rule("R9")
@pytest.mark.rule("R18")
def test_a_claim_is_never_sent_early() -> None:
    """A timer that is a microsecond ahead is told when to come again."""
    claim = given(*CONSENT_PENDING)

    with refused(
        claim,
        NotYetDue(
            "the clock consent is not due before 2021-05-18T00:00:00+00:00",
            due_at=CONSENT_DUE,
            status="approved",
        ),
    ):
        claim.pass_deadline(
            clock=ClockName.CONSENT, due_at=CONSENT_DUE, cause=TIMER, now=LAST_MOMENT
        )


@pytest.mark.rule("R9")
@pytest.mark.rule("R18")
def test_a_claim_is_sent_once() -> None:
    """A second timer for the same clock changes nothing."""
    claim = given(*CONSENT_ELAPSED)

    with refused(
        claim,
        NotPossible(
            "no clock consent that is due at this instant is open", rule="R18", status="approved"
        ),
    ):
        claim.pass_deadline(
            clock=ClockName.CONSENT, due_at=CONSENT_DUE, cause=TIMER, now=CONSENT_DUE
        )


@pytest.mark.rule("R18")
def test_when_the_decline_arrives_first_the_expiry_loses() -> None:
    """A decline in time counts, even where both are handled after the due instant."""
    claim = given(*CONSENT_PENDING)

    claim.decline_consent(cause=CUSTOMER, now=LAST_MOMENT)

    with refused(claim, EXPIRY_IS_GONE):
        claim.pass_deadline(
            clock=ClockName.CONSENT, due_at=CONSENT_DUE, cause=TIMER, now=CONSENT_DUE
        )


@pytest.mark.rule("R18")
def test_when_the_expiry_arrives_first_the_decline_loses() -> None:
    """The customer learns that it came too late."""
    claim = given(*CONSENT_ELAPSED)

    with refused(claim, TooLate("the consent period has passed", rule="R8")):
        claim.decline_consent(cause=CUSTOMER, now=CONSENT_DUE)


@pytest.mark.rule("R8")
@pytest.mark.rule("R12")
def test_the_customer_may_decline_after_an_upheld_dispute() -> None:
    """The new period is as good as the first; no second window opens."""
    claim = given(*UPHELD)

    claim.decline_consent(cause=CUSTOMER, now=instant("2021-05-31T23:59:59Z"))

    assert claim.consent is Consent.DECLINED
    assert claim.dispute is Dispute.UPHELD
    assert claim.phase is Phase.FINAL
    assert claim.clock is None


@pytest.mark.rule("R10")
def test_pending_consent_ends_when_the_partner_gives_up() -> None:
    """Consent that was pending becomes none."""
    claim = given(*CONSENT_PENDING)

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=RESUBMITTED_AT)

    assert claim.consent is Consent.NONE
    assert claim.clock is None


@pytest.mark.rule("R10")
def test_elapsed_consent_stays_elapsed_when_the_partner_gives_up() -> None:
    """What has happened has happened: only pending consent is withdrawn."""
    claim = given(*CONSENT_ELAPSED)

    claim.request_rejection(explanation="Wrong MPN id.", cause=PARTNER, now=CONSENT_DUE)

    assert (claim.consent, claim.assessment) == (Consent.ELAPSED, Assessment.SENT)
    assert claim.phase is Phase.FINAL

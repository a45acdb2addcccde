"""Assessment: one result per programme, on approved claims whose consent has elapsed."""

import json

import pytest
from pydantic import ValidationError

from domain.claim import ClaimEvent
from domain.command import RecordAssessment
from domain.refusal import NotPossible
from domain.vocabulary import Assessment, AssessmentResult, Programme, RejectionReason
from tests.domain.examples import (
    ASSESSOR,
    CONSENT_ELAPSED,
    CONSENT_PENDING,
    DECLINED,
    DISPUTED_AT,
    assessment_recorded,
    given,
    instant,
    refused,
    rejected_for_good,
    rejection_requested,
    stated,
)

OSU, OSA = Programme.OSU, Programme.OSA
ELIGIBLE, INELIGIBLE = AssessmentResult.ELIGIBLE, AssessmentResult.INELIGIBLE
GIVEN_UP = (
    *CONSENT_ELAPSED,
    rejection_requested(at=DISPUTED_AT),
    rejected_for_good(RejectionReason.PARTNER_REQUEST, at=DISPUTED_AT),
)


@pytest.mark.rule("R29")
def test_the_assessor_records_a_result() -> None:
    """Programme and result are recorded; approval alone had earned nothing."""
    claim = given(*CONSENT_ELAPSED)

    claim.record_assessment(
        programme=OSU, result=ELIGIBLE, note="Quarter 2", cause=ASSESSOR, now=DISPUTED_AT
    )

    assert stated(claim) == [assessment_recorded(OSU, ELIGIBLE, note="Quarter 2")]
    assert claim.results == {OSU: ELIGIBLE}


@pytest.mark.rule("R29")
def test_a_later_result_of_a_programme_replaces_the_first() -> None:
    """One result per programme."""
    claim = given(*CONSENT_ELAPSED, assessment_recorded(OSU, ELIGIBLE))

    claim.record_assessment(
        programme=OSU, result=INELIGIBLE, cause=ASSESSOR, now=instant("2021-06-01T09:00Z")
    )

    assert claim.results == {OSU: INELIGIBLE}
    assert claim.assessment is Assessment.INELIGIBLE


@pytest.mark.rule("R29")
@pytest.mark.parametrize(
    ("results", "whole"),
    [
        ([], Assessment.SENT),
        ([(OSU, INELIGIBLE)], Assessment.INELIGIBLE),
        ([(OSU, INELIGIBLE), (OSA, ELIGIBLE)], Assessment.ELIGIBLE),
        ([(OSU, ELIGIBLE), (OSA, INELIGIBLE)], Assessment.ELIGIBLE),
        ([(OSU, ELIGIBLE), (OSU, INELIGIBLE), (OSA, INELIGIBLE)], Assessment.INELIGIBLE),
    ],
)
def test_one_eligible_programme_makes_the_claim_eligible(
    results: list[tuple[Programme, AssessmentResult]], whole: Assessment
) -> None:
    """Beside the status stands what the programmes together come to."""
    claim = given(*CONSENT_ELAPSED, *(assessment_recorded(*result) for result in results))

    assert claim.assessment is whole


@pytest.mark.rule("R9")
@pytest.mark.rule("R29")
@pytest.mark.parametrize(
    ("history", "phase"),
    [
        (CONSENT_PENDING, "approved_consent_pending"),
        (DECLINED, "rejected_final"),
        (GIVEN_UP, "rejected_final"),
    ],
    ids=["pending", "declined", "given up"],
)
def test_only_what_was_sent_and_is_approved_is_assessed(
    history: tuple[ClaimEvent, ...], phase: str
) -> None:
    """Neither before the consent period has passed, nor after the claim was rejected."""
    claim = given(*history)

    with refused(
        claim,
        NotPossible(
            f"record_assessment is not possible in the state {phase}",
            rule="R29",
            status=claim.status,
        ),
    ):
        claim.record_assessment(programme=OSU, result=ELIGIBLE, cause=ASSESSOR, now=DISPUTED_AT)


@pytest.mark.rule("R29")
@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"programme": "azure", "result": "eligible"}, "programme"),
        ({"programme": "osu", "result": "perhaps"}, "result"),
        ({"programme": "osu"}, "result"),
        ({"result": "eligible"}, "programme"),
    ],
)
def test_programmes_and_results_are_known_words(data: dict[str, str], field: str) -> None:
    """Three programmes, two results."""
    with pytest.raises(ValidationError) as caught:
        RecordAssessment.model_validate_json(json.dumps(data), strict=True)

    assert [error["loc"] for error in caught.value.errors()] == [(field,)]

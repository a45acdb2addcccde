"""Who may do and see what."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from pydantic import ValidationError

from domain.access import (
    SENDERS,
    may_know_reviewers,
    may_know_targets,
    may_read,
    may_read_commands,
    may_read_documents,
    may_read_internal_notes,
    require_counter,
    require_member,
    require_operator,
    require_own_id,
    require_reviewer,
    require_sender,
)
from domain.actor import Actor
from domain.command import COMMANDS
from domain.refusal import NotAllowed, NotFound
from domain.vocabulary import Role, Status
from tests.domain.examples import ORG

pytestmark = pytest.mark.rule("R25")

PARTNERS = {Role.INCENTIVES_ADMIN, Role.BILLING_ADMIN, Role.GLOBAL_ADMIN}
ALL = set(Status)

MAY_SEND = {
    "create_claim": PARTNERS,
    "edit_claim": PARTNERS,
    "attach_poe": PARTNERS,
    "submit_claim": PARTNERS,
    "resubmit_claim": PARTNERS,
    "request_rejection": PARTNERS,
    "open_dispute": PARTNERS,
    "post_comment": PARTNERS | {Role.REVIEWER},
    "start_review": {Role.REVIEWER},
    "assign_reviewer": {Role.REVIEWER},
    "require_action": {Role.REVIEWER},
    "approve_claim": {Role.REVIEWER},
    "reject_claim": {Role.REVIEWER},
    "uphold_dispute": {Role.REVIEWER},
    "dismiss_dispute": {Role.REVIEWER},
    "decline_consent": {Role.CUSTOMER},
    "record_assessment": {Role.ASSESSOR},
    "pass_deadline": {Role.TIMER},
}
"""The column "who" of the commands."""

READS = {
    Role.INCENTIVES_ADMIN: ALL,
    Role.BILLING_ADMIN: ALL,
    Role.GLOBAL_ADMIN: ALL,
    Role.REVIEWER: ALL - {Status.EDITING},
    Role.CUSTOMER: set[Status](),
    Role.ASSESSOR: {Status.APPROVED},
    Role.AUDITOR: ALL,
    Role.OPERATOR: ALL,
    Role.TIMER: set[Status](),
}
"""In which statuses each role may read a claim: a partner's own organisation's."""


def actor(role: Role, org: str = ORG) -> Actor:
    """Somebody in this role; only partners act for an organisation."""
    return Actor(role=role, org=org if role in PARTNERS else None, id="somebody")


def test_the_table_of_senders_is_complete() -> None:
    """Every command has its senders, and nothing else has any."""
    assert SENDERS.keys() == MAY_SEND.keys() == COMMANDS.keys()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("command", MAY_SEND)
def test_a_command_is_taken_from_its_senders_alone(command: str, role: Role) -> None:
    """Every command and every role: let through, or refused by name."""
    if role in MAY_SEND[command]:
        require_sender(command, actor(role))
        return

    with pytest.raises(NotAllowed) as caught:
        require_sender(command, actor(role))
    assert (caught.value.rule, caught.value.detail) == ("R25", f"{role} may not send {command}")


@pytest.mark.parametrize("role", Role)
def test_an_id_that_can_be_guessed_is_its_owners_alone(role: Role) -> None:
    """Lest a comment under the id of a deadline, or of a decline, stand in its way."""
    owners = {"timer-1": Role.TIMER, "consent-link-5": Role.CUSTOMER, "take-1": Role.REVIEWER}
    for command_id, owner in owners.items():
        if role is owner:
            require_own_id(command_id, actor(role))
            continue
        with pytest.raises(NotAllowed) as caught:
            require_own_id(command_id, actor(role))
        assert caught.value.rule == "R25"
    require_own_id("my-timer-1", actor(role))


@pytest.mark.parametrize("role", sorted(PARTNERS))
def test_a_partner_acts_on_its_own_organisations_claims(role: Role) -> None:
    """Another organisation's claim reads as if there were none."""
    require_member(ORG, actor(role))

    with pytest.raises(NotFound) as caught:
        require_member(ORG, actor(role, org="7777777"))
    assert (caught.value.rule, caught.value.detail) == (None, "there is no such claim")


@pytest.mark.parametrize("role", sorted(set(Role) - PARTNERS))
def test_nobody_else_is_bound_to_an_organisation(role: Role) -> None:
    """Reviewers and systems serve all of them."""
    require_member(ORG, actor(role))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("role", Role)
def test_who_may_read_a_claim(role: Role, status: Status) -> None:
    """Every role and every status; a claim's documents too, but for operators."""
    readable = status in READS[role]

    assert may_read(actor(role), org=ORG, status=status) is readable
    assert may_read_documents(actor(role), org=ORG, status=status) is (
        readable and role is not Role.OPERATOR
    )


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("role", sorted(PARTNERS))
@pytest.mark.fault(69)
def test_a_partner_reads_no_other_organisations_claim(role: Role, status: Status) -> None:
    """In no status, and none of its documents."""
    other = actor(role, org="7777777")

    assert not may_read(other, org=ORG, status=status)
    assert not may_read_documents(other, org=ORG, status=status)


@pytest.mark.rule("R24")
@pytest.mark.parametrize("role", Role)
def test_internal_notes_are_not_shown_to_partners(role: Role) -> None:
    """Reviewers, auditors and operators read them, nobody else."""
    assert may_read_internal_notes(actor(role)) is (
        role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}
    )


@pytest.mark.parametrize("role", Role)
def test_partners_read_reviewers_as_reviewer(role: Role) -> None:
    """Who reviews is known to reviewers, auditors and operators alone."""
    assert may_know_reviewers(actor(role)) is (role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR})


@pytest.mark.rule("R26")
@pytest.mark.parametrize("role", Role)
def test_targets_are_the_vendors_to_know(role: Role) -> None:
    """That one is due soon is for those who meet it, and who look into the system."""
    assert may_know_targets(actor(role)) is (role in {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR})


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("require", "roles"),
    [
        (require_operator, {Role.OPERATOR}),
        (require_reviewer, {Role.REVIEWER}),
        (require_counter, PARTNERS | {Role.REVIEWER, Role.AUDITOR, Role.OPERATOR}),
    ],
)
def test_places_are_for_those_who_work_there(
    require: Callable[[Actor], None], roles: set[Role], role: Role
) -> None:
    """Operations, the queue, and figures."""
    with nullcontext() if role in roles else pytest.raises(NotAllowed):
        require(actor(role))


@pytest.mark.parametrize("role", list(Role))
def test_who_looks_into_the_system_sees_commands(role: Role) -> None:
    """Auditors and operators see what caused an event."""
    actor = Actor(role=role, org=ORG if role in PARTNERS else None, id="someone")

    assert may_read_commands(actor) is (role in {Role.AUDITOR, Role.OPERATOR})


@pytest.mark.parametrize("role", sorted(PARTNERS))
def test_a_partner_without_an_organisation_is_nobody(role: Role) -> None:
    """Partner roles are always those of one organisation."""
    with pytest.raises(ValidationError, match="acts for an organisation: org is missing"):
        Actor(role=role, id="ayse")


@pytest.mark.parametrize("role", sorted(set(Role) - PARTNERS))
def test_only_partners_act_for_an_organisation(role: Role) -> None:
    """A reviewer with an organisation would be a contradiction."""
    with pytest.raises(ValidationError, match="acts for no organisation: org must be absent"):
        Actor(role=role, org=ORG, id="deniz")

"""What somebody does on a page: a command, sent like every other."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final
from uuid import UUID

from services.web.claim import wait_until_seen
from services.web.command import deliver
from services.web.page.visit import Visit
from services.web.problem import OutcomeUnknown, Unavailable, body

COMMAND_ID: Final = "command_id"
"""The form's hidden field: made with the form, so that sending it twice has its effect once."""


async def do(
    visit: Visit,
    claim_id: UUID,
    command: str,
    data: Mapping[str, Any],
    *,
    command_id: str,
    expected_version: int | None = None,
) -> dict[str, Any] | None:
    """Send a command; None once it is recorded and on the board, else the problem that it met.

    `expected_version` is the version of the claim that the page showed (R14). Raises Unavailable
    and OutcomeUnknown.
    """
    outcome = await deliver(
        visit.backend,
        claim_id=claim_id,
        command=command,
        command_id=command_id,
        data=data,
        actor=visit.actor,
        expected_version=expected_version,
    )
    problem: dict[str, Any] | None = outcome.get("problem")
    if problem is None:
        await wait_until_seen(visit.backend, outcome["position"])
    return problem


async def tried(deed: Awaitable[dict[str, Any] | None]) -> dict[str, Any] | None:
    """What `do` comes to, from a form that is shown again with what stands in it.

    That a server can't be reached is a problem like any other then.
    """
    try:
        return await deed
    except (Unavailable, OutcomeUnknown) as refusal:
        return dict(body(refusal))

"""Sending a command as every sender may: publish it on the command stream, await its outcome."""

from asyncio import timeout
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from nats.errors import ConnectionClosedError, Error
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NoStreamResponseError
from pydantic_core import from_json

from services.cloudevent import CONTENT_TYPE
from services.connection import Connection
from services.streams import COMMANDS, command_subject, outcome_subject

PATIENCE: Final = 10.0
"""Seconds from the sending of a command to the end of waiting for its outcome."""


_log = structlog.get_logger(__name__)


class NotStored(Exception):  # noqa: N818 - a finding, not a fault of ours
    """The command stream did not take the command: nothing was recorded."""


class OutcomeUnknown(Exception):  # noqa: N818 - a finding, not a fault of ours
    """No outcome came in time: sending the same command with the same id once more is safe."""


async def send(
    nats: Connection,
    body: bytes,
    *,
    claim_id: UUID,
    command: str,
    command_id: str,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """Send a command's message (`command_event`) and wait `patience` seconds: the outcome's `data`.

    Raises NotStored or OutcomeUnknown.
    """
    subscription = await nats.subscribe(outcome_subject(claim_id, command_id))  # pyright: ignore[reportUnknownMemberType]
    try:
        async with timeout(patience):
            await _publish(nats, command_subject(command, claim_id), body, patience / 2)
            outcome = await subscription.next_msg(timeout=patience)
    except (TimeoutError, ConnectionClosedError) as error:
        raise OutcomeUnknown(
            f"no outcome of the command {command_id} came in {patience:g} seconds"
        ) from error
    finally:
        with suppress(ConnectionClosedError):
            await subscription.unsubscribe()
    data: dict[str, Any] = from_json(outcome.data)["data"]
    return data


async def _publish(nats: Connection, subject: str, body: bytes, patience: float) -> None:
    """Let the stream store it; without its answer the outcome alone tells whether it did."""
    try:
        await nats.js.publish(subject, body, patience, COMMANDS, {"Content-Type": CONTENT_TYPE})
    except NatsTimeoutError:
        _log.warning("command_not_acknowledged", subject=subject)
    except ConnectionClosedError:
        raise
    except NoStreamResponseError as error:
        raise NotStored("this NATS server has no command stream") from error
    except APIError as error:
        raise NotStored(f"the command stream refuses it: {error.description}") from error
    except Error as error:
        raise NotStored(f"the command could not be sent: {error}") from error

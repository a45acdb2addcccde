"""`cpor doctor` looks at what flows, commands, events, read models, and at who moves it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import httpx
from nats.js.errors import NotFoundError, ServiceUnavailableError
from psycopg import AsyncConnection
from psycopg.errors import InvalidSchemaName, UndefinedTable

from projections import position
from services.cli.api import base_url
from services.cli.finding import Finding, Level, judged
from services.clock import real_now
from services.connection import Connection
from services.health import State, ask_health
from services.notifier.outbox import heard
from services.notifier.oversight import LATE, Standing, standing
from services.relay import stream_place
from services.roster import SERVICES
from services.settings import Settings
from services.streams import CLAIMS_CONSUMER, COMMANDS, DEAD_LETTERS, StreamsDiffer
from services.webhook import State as WebhookState
from services.webhook import Webhook, webhooks

_FLOW, _SERVICES = "flow", "services"
_WEB = "web"
"""The service that answers by HTTP, not over NATS."""

_PATIENCE = 3.0
"""Seconds in which whoever copies events must have come as far as the store was."""
_GLANCE = 0.1
_LONG_WAIT = timedelta(seconds=30)
"""A command that waits longer than this has met something that doesn't pass by itself."""
_LEVELS = {State.RUNNING: Level.OK, State.STANDBY: Level.WARN, State.STARTING: Level.WARN}


async def check_commands(nats: Connection) -> list[Finding]:
    """Commands that wait, and messages that were given up."""
    try:
        stream = await nats.js.stream_info(COMMANDS)
        consumer = await nats.js.consumer_info(COMMANDS, CLAIMS_CONSUMER)
        dead = (await nats.js.stream_info(DEAD_LETTERS)).state.messages
    except (NotFoundError, ServiceUnavailableError):
        return []
    waiting = stream.state.messages
    pending = f"{waiting} waiting, {consumer.num_ack_pending or 0} of them being decided"
    oldest = await _oldest(nats) if waiting else None
    level, advice = Level.OK, ""
    if oldest is not None and oldest > _LONG_WAIT:
        level, advice = Level.WARN, "see what the claims service says below, and its log"
        pending += f", the oldest for {oldest.total_seconds():.0f} s"
    return [
        Finding(_FLOW, "commands", level, pending, advice),
        Finding(
            _FLOW,
            "dead letters",
            Level.WARN if dead else Level.OK,
            f"{dead}",
            "`cpor dead-letters list` shows them" if dead else "",
        ),
    ]


async def _oldest(nats: Connection) -> timedelta | None:
    """How long the command has waited that arrived first; None when it is decided by now."""
    try:
        message = await nats.js.get_msg(COMMANDS, 1, subject=">", next=True)
    except NotFoundError:
        return None
    return real_now() - message.time if message.time else None


async def check_events(nats: Connection | None, store: AsyncConnection | None) -> list[Finding]:
    """Whether stream and projections come as far as the store was when this began."""
    if store is None:
        return []
    try:
        recorded = await position.recorded(store)
    except (UndefinedTable, InvalidSchemaName):
        return []
    events = Finding(_FLOW, "event store", Level.OK, f"position {recorded}")
    findings = [await _relay(nats, recorded)] if nats is not None else []
    return [events, *findings, *await _projections(store, recorded)]


async def check_mails(store: AsyncConnection, settings: Settings) -> list[Finding]:
    """Whether people hear what they must."""
    try:
        mails, recorded = await standing(store), await position.recorded(store)
        before, now = await _come(partial(heard, store), recorded)
    except (UndefinedTable, InvalidSchemaName):
        return []
    advice = "see what the notifier says below, and its log"
    findings = [_progress("notices", before, now, recorded, advice), _mails(mails)]
    if settings.mailbox and settings.auth == "oidc":
        kept = "none leaves this machine: the embedded mailbox keeps them, customers hear nothing"
        findings.append(
            Finding(_FLOW, "mail server", Level.WARN, kept, "set CPOR_SMTP_URL to a mail server")
        )
    return findings


def _mails(mails: Standing) -> Finding:
    """Parked ones and late ones are for somebody to look at; others go out by themselves."""
    waits = real_now() - mails.waiting_since if mails.waiting_since else timedelta(0)
    told = f"{mails.waiting} waiting, {mails.parked} parked"
    if mails.parked:
        return Finding(_FLOW, "mails", Level.WARN, told, "`cpor mails list` says why")
    if waits > LATE:
        told += f", the oldest for {waits.total_seconds() / 3600:.0f} h"
        advice = "`cpor mails list --state waiting` says why; so may the notifier below"
        return Finding(_FLOW, "mails", Level.WARN, told, advice)
    return Finding(_FLOW, "mails", Level.OK, told)


async def check_webhooks(store: AsyncConnection) -> list[Finding]:
    """Whether the systems that are told of events take them."""
    try:
        found = await webhooks(store)
    except (UndefinedTable, InvalidSchemaName):
        return []
    return [_webhook(each) for each in found]


def _webhook(webhook: Webhook) -> Finding:
    what = f"webhook {webhook.webhook_id}"
    if webhook.state is WebhookState.RUNNING:
        return Finding(_FLOW, what, Level.OK, f"position {webhook.position}")
    standing = f"{webhook.state} at position {webhook.position}: {webhook.words}"
    advice = f"`cpor webhooks resume {webhook.webhook_id}` tries at once"
    return Finding(_FLOW, what, Level.WARN, standing, advice)


async def _relay(nats: Connection, recorded: int) -> Finding:
    async def place() -> int:
        return (await stream_place(nats)).position

    what = "event stream"
    try:
        before, now = await _come(place, recorded)
    except (NotFoundError, ServiceUnavailableError):
        advice = "the relay makes it again, with all events, when it starts"
        return Finding(_FLOW, what, Level.FAIL, "is missing", advice)
    except StreamsDiffer as error:
        return Finding(_FLOW, what, Level.FAIL, str(error))
    return _progress(what, before, now, recorded, "see what the relay says below, and its log")


async def _projections(store: AsyncConnection, recorded: int) -> list[Finding]:
    names = await position.all_reached(store)
    if not names:
        advice = "the projector begins them when it starts"
        return [Finding(_FLOW, "projections", Level.FAIL, "there are none", advice)]
    advice = "see what the projector says below, and its log; `cpor rebuild` makes it anew"
    findings: list[Finding] = []
    for name in names:
        before, now = await _come(partial(position.reached, store, name), recorded)
        findings.append(_progress(f"projection {name}", before, now, recorded, advice))
    return findings


async def _come(place: Callable[[], Awaitable[int]], target: int) -> tuple[int, int]:
    """The position at first, and when it has reached the target or patience has ended."""
    deadline = monotonic() + _PATIENCE
    before = now = await place()
    while now < target and monotonic() < deadline:
        await asyncio.sleep(_GLANCE)
        now = await place()
    return before, now


def _progress(what: str, before: int, now: int, target: int, advice: str) -> Finding:
    if now >= target:
        return Finding(_FLOW, what, Level.OK, f"position {now}")
    behind = f"position {now}, {target - now} behind"
    if now > before:
        return Finding(_FLOW, what, Level.WARN, f"{behind}, catching up")
    return Finding(_FLOW, what, Level.FAIL, f"{behind}, and standing still", advice)


async def check_services(nats: Connection) -> list[Finding]:
    """What each service says of itself over NATS."""
    answers = await ask_health(nats, [name for name in SERVICES if name != _WEB])
    return [
        Finding(
            _SERVICES,
            name,
            level := _LEVELS.get(State(answer["state"]), Level.FAIL),
            f"{answer['state']}{': ' if answer['detail'] else ''}{answer['detail']}",
            "" if level is Level.OK else _advice(name, State(answer["state"])),
        )
        for name, answer in answers.items()
    ]


def _advice(name: str, state: State) -> str:
    match state:
        case State.ABSENT:
            return f"start it: `cpor up`, or `cpor service {name}`"
        case State.STANDBY:
            return "the active instance should have answered: look into its log"
        case _:
            return "look into its log"


async def check_http(settings: Settings) -> list[Finding]:
    """Whether the HTTP API answers, and finds everything ready."""
    url = base_url(settings)
    advice = "start it: `cpor up`; CPOR_HTTP_HOST and CPOR_HTTP_PORT say where it is"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            response = await client.get(f"{url}/readyz")
            body = response.json()
    except (httpx.TransportError, ValueError) as error:
        found = f"{url}: {str(error) or 'no answer in time'}"
        return [Finding(_SERVICES, _WEB, Level.FAIL, found, advice)]
    return [
        judged(
            _SERVICES,
            _WEB,
            f"{url} is ready" if response.is_success else f"{url}: {_not_running(body)}",
            fine=response.is_success,
            advice="see above what each says",
        )
    ]


def _not_running(body: Mapping[str, Any]) -> str:
    components = body.get("components", {})
    names = [name for name, each in components.items() if each.get("state") != State.RUNNING]
    return f"not ready: {', '.join(names) or 'it does not say why'}"

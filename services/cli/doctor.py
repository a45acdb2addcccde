"""`cpor doctor`: whether everything is as it must be, and what to do where it is not."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import psycopg
import typer
from nats.errors import Error as NatsError
from psycopg import AsyncConnection
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services import log
from services.cli.check_flow import (
    check_commands,
    check_events,
    check_http,
    check_mails,
    check_services,
    check_webhooks,
)
from services.cli.check_server import check_clock, check_disk, check_nats, check_postgresql
from services.cli.ending import ExitCode
from services.cli.finding import Finding, Level
from services.connection import Connection, UnreachableError, connect
from services.embedded.address import resolved
from services.settings import Settings, load

_PATIENCE = 3.0
"""Seconds that a server has to take a connection."""
_CHECK_PATIENCE = 10.0
"""Seconds that one group of checks may take."""
_SIGNS = {
    Level.OK: ("✓", "green"),
    Level.WARN: ("!", "yellow"),
    Level.FAIL: ("✗", "bold red"),
}


def register(app: typer.Typer) -> None:
    """Add `cpor doctor` to the command line."""
    app.command("doctor")(doctor)


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check servers, streams, durability, consumers, lag and clocks; say what to do.

    Exit code: 0 when all works, 1 when something doesn't.
    """
    log.configure("critical")
    findings = asyncio.run(_examine(load()))
    healthy = all(finding.level is not Level.FAIL for finding in findings)
    if as_json:
        checks = [finding._asdict() for finding in findings]
        typer.echo(json.dumps({"healthy": healthy, "checks": checks}, ensure_ascii=False, indent=2))
    else:
        _print(findings)
    if not healthy:
        raise typer.Exit(ExitCode.REFUSED)


async def _examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which one thing leans on another."""
    reachable = resolved(settings)
    findings: list[Finding] = []

    async def add(what: str, check: Awaitable[list[Finding]]) -> None:
        findings.extend(await _in_time(what, check))

    if not (settings.database_url and settings.nats_url):
        findings += check_disk(settings)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_postgresql(reachable, findings))
        if store:
            await add("PostgreSQL", check_postgresql(store))
        nats = await stack.enter_async_context(_nats(reachable, findings))
        if nats:
            await add("NATS", check_nats(nats, settings))
            await add("commands", check_commands(nats))
        await add("events", check_events(nats, store))
        if store:
            await add("mails", check_mails(store, reachable))
            await add("webhooks", check_webhooks(store))
        if nats:
            await add("services", check_services(nats))
        await add("HTTP API", check_http(settings))
        await add("clocks", check_clock(reachable, store, nats))
    return findings


async def _in_time(what: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    """What a group of checks finds; that it could not be made is a finding, too."""
    try:
        async with asyncio.timeout(_CHECK_PATIENCE):
            return await check
    except (NatsError, psycopg.Error, TimeoutError) as error:
        found = f"could not be checked: {_first_line(error)}"
        return [Finding(what, "all", Level.FAIL, found, "run `cpor doctor` again; see the logs")]


@asynccontextmanager
async def _postgresql(
    settings: Settings, findings: list[Finding]
) -> AsyncGenerator[AsyncConnection | None]:
    try:
        store = await AsyncConnection.connect(
            settings.database_url, autocommit=True, connect_timeout=int(_PATIENCE)
        )
    except psycopg.OperationalError as error:
        advice = "start it: `cpor up`; CPOR_DATA_DIR or CPOR_DATABASE_URL say where it is"
        findings.append(_unreachable("PostgreSQL", _first_line(error), advice))
        yield None
        return
    findings.append(Finding("PostgreSQL", "reachable", Level.OK, "yes"))
    async with store:
        yield store


@asynccontextmanager
async def _nats(settings: Settings, findings: list[Finding]) -> AsyncGenerator[Connection | None]:
    url = log.blanked(settings.nats_url)
    try:
        nats = await connect(settings.nats_url, "cpor doctor", _PATIENCE)
    except UnreachableError as error:
        advice = "start it: `cpor up`; CPOR_NATS_PORT or CPOR_NATS_URL say where it is"
        findings.append(_unreachable("NATS", f"{url}: {error}", advice))
        yield None
        return
    findings.append(Finding("NATS", "reachable", Level.OK, url))
    try:
        yield nats
    finally:
        await nats.close()


def _unreachable(server: str, reason: str, advice: str) -> Finding:
    return Finding(server, "reachable", Level.FAIL, f"no: {reason}", advice)


def _first_line(error: Exception) -> str:
    return log.blanked(str(error).strip().partition("\n")[0] or type(error).__name__)


def _print(findings: list[Finding]) -> None:
    table = Table("", "", "", "", box=box.SIMPLE, show_header=False, pad_edge=False)
    area = ""
    for finding in findings:
        sign, colour = _SIGNS[finding.level]
        found = Text(finding.found, "" if finding.level is Level.OK else colour)
        if finding.advice:
            found.append(f"\n→ {finding.advice}", "not bold default")
        where = "" if finding.area == area else finding.area
        table.add_row(Text(sign, colour), Text(where, "bold"), Text(finding.what), found)
        area = finding.area
    console = Console(highlight=False)
    console.print(table)
    console.print(_verdict(findings))


def _verdict(findings: list[Finding]) -> Text:
    failed = sum(finding.level is Level.FAIL for finding in findings)
    warned = sum(finding.level is Level.WARN for finding in findings)
    if failed:
        return Text(f"{failed} of {len(findings)} checks failed.", "bold red")
    if warned:
        return Text(f"It works; {warned} of {len(findings)} checks deserve a look.", "yellow")
    return Text("All is well.", "bold green")

"""`cpor doctor` looks at the data directory, PostgreSQL, NATS, and their clocks."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from stat import S_IMODE
from typing import Any, LiteralString

from nats.errors import NoRespondersError
from nats.js.errors import ServiceUnavailableError
from psycopg import AsyncConnection
from psycopg.errors import InvalidSchemaName, UndefinedTable

from services.cli.finding import Finding, Level, judged
from services.clock import SimulatedClock, open_clock, real_now
from services.connection import Connection
from services.durability import OnDisk, durability
from services.schema import revisions
from services.settings import Settings
from services.streams import COMMANDS, verify

_DISK, _POSTGRESQL, _NATS, _CLOCK = "disk", "PostgreSQL", "NATS", "clock"

_MIB = 1024 * 1024
_LITTLE_SPACE, _NO_SPACE = 1024 * _MIB, 100 * _MIB
_TESTED_POSTGRESQL = 18
_OLDEST_NATS = (2, 12)
_ENOUGH_PAYLOAD = _MIB
"""A command that is too large must still reach us to be refused."""
_PATIENCE = 2.0
_LARGEST_SKEW = timedelta(seconds=1)
_DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}
"""What PostgreSQL must be set to, so that a power cut loses nothing that was acknowledged."""


def check_disk(settings: Settings) -> list[Finding]:
    """The data directory: there, private, with room to grow."""
    root = settings.data_dir
    if not root.is_dir():
        advice = "`make run` makes it; CPOR_DATA_DIR says where it is"
        return [Finding(_DISK, "data directory", Level.FAIL, f"{root} is missing", advice)]
    mode = S_IMODE(root.stat().st_mode)
    findings = [
        Finding(_DISK, "data directory", Level.OK, str(root))
        if not mode & 0o077
        else Finding(
            _DISK,
            "data directory",
            Level.WARN,
            f"{root} is open to others (mode {mode:o})",
            f"chmod 700 {root}",
        )
    ]
    free = shutil.disk_usage(root).free
    level = Level.OK if free > _LITTLE_SPACE else Level.WARN if free > _NO_SPACE else Level.FAIL
    advice = "" if level is Level.OK else "make room: when the disk is full, nothing is recorded"
    return [*findings, Finding(_DISK, "free space", level, f"{free // _MIB:,} MiB", advice)]


async def check_postgresql(store: AsyncConnection) -> list[Finding]:
    """Version, schema and durability."""
    version = store.info.server_version // 10_000
    tested = version == _TESTED_POSTGRESQL
    findings = [
        Finding(
            _POSTGRESQL,
            "version",
            Level.OK if tested else Level.WARN,
            str(version),
            "" if tested else f"cpor is tested with PostgreSQL {_TESTED_POSTGRESQL}",
        ),
        await _schema(store),
    ]
    for name, durable in _DURABLE.items():
        value = await _one(store, "SELECT current_setting(%s)", name)
        advice = f"set {name} to on: a power cut can lose or tear what was acknowledged"
        fine = value in durable
        findings.append(judged(_POSTGRESQL, name, str(value), fine=fine, advice=advice))
    return findings


async def _schema(store: AsyncConnection) -> Finding:
    known = revisions()
    try:
        found = str(await _one(store, "SELECT version_num FROM cpor.alembic_version"))
    except (UndefinedTable, InvalidSchemaName):
        advice = "`cpor up` makes the tables when it starts, on external servers `cpor admin`"
        return Finding(_POSTGRESQL, "schema", Level.FAIL, "there are no tables", advice)
    advice = (
        "`cpor up` or, on external servers, `cpor admin` brings the tables up to date"
        if found in known
        else f"run a newer release: this one knows revisions up to {known[-1]}"
    )
    shown = f"revision {found}"
    return judged(_POSTGRESQL, "schema", shown, fine=found == known[-1], advice=advice)


async def check_nats(nats: Connection, settings: Settings) -> list[Finding]:
    """Version, limits, durability, streams and consumers."""
    version = nats.connected_server_version
    new_enough = (version.major, version.minor) >= _OLDEST_NATS
    oldest = ".".join(map(str, _OLDEST_NATS))
    findings = [
        judged(
            _NATS,
            "version",
            f"{version.major}.{version.minor}.{version.patch}",
            fine=new_enough,
            advice=f"cpor needs nats-server {oldest} or newer",
        ),
        judged(
            _NATS,
            "largest message",
            f"{nats.max_payload:,} bytes",
            fine=nats.max_payload >= _ENOUGH_PAYLOAD,
            advice="set max_payload to 2MB: commands that are too large can't be refused otherwise",
        ),
    ]
    try:
        info = await nats.js.account_info()
    except ServiceUnavailableError:
        advice = "start nats-server with JetStream: -js, or jetstream {} in its configuration"
        return [*findings, Finding(_NATS, "JetStream", Level.FAIL, "is off", advice)]
    stored = f"on, {info.storage // _MIB:,} MiB stored"
    findings.append(Finding(_NATS, "JetStream", Level.OK, stored))
    findings.append(await _sync(nats, settings))
    wrong = [
        Finding(
            _NATS,
            each.where,
            Level.FAIL,
            each.problem,
            "`cpor up` repairs it when it starts, on external servers `cpor admin`"
            if each.repairable
            else "it can't be changed in place: delete it, with what it holds, and start cpor",
        )
        for each in await verify(nats.js)
    ]
    as_wanted = Finding(_NATS, "streams and consumers", Level.OK, "as they must be")
    return [*findings, *(wrong or [as_wanted])]


async def _sync(nats: Connection, settings: Settings) -> Finding:
    """Whether what JetStream acknowledges is on disk. No client can ask a server for it."""
    what = "sync_interval"
    told = await durability(settings, nats.js)
    match told.on_disk:
        case OnDisk.YES:
            return Finding(_NATS, what, Level.OK, told.words)
        case OnDisk.NO if settings.nats_sync == "interval":
            advice = "unset CPOR_NATS_SYNC, or set it to always"
            return Finding(_NATS, what, Level.WARN, told.words, advice)
        case OnDisk.NO:
            advice = "set sync_interval: always in its jetstream {}, or run three replicas"
            return Finding(_NATS, what, Level.FAIL, told.words, advice)
        case OnDisk.UNKNOWN:
            advice = "look into the server's configuration: with one replica it must be always"
            return Finding(_NATS, what, Level.WARN, f"unknown: {told.words}", advice)


async def check_clock(
    settings: Settings, store: AsyncConnection | None, nats: Connection | None
) -> list[Finding]:
    """Which clock counts, and whether the machines agree about the time."""
    findings: list[Finding] = []
    if store is not None:
        findings += [*await _which_clock(settings, store), await _postgresql_skew(store)]
    if nats is not None:
        findings.append(await _nats_skew(nats))
    return findings


async def _which_clock(settings: Settings, store: AsyncConnection) -> list[Finding]:
    async with open_clock(settings) as clock:
        if not isinstance(clock, SimulatedClock):
            findings = [await _system(store)]
        elif clock.frozen_at:
            found = f"simulated, stands still at {_at(clock.frozen_at)}"
            advice = "wait while somebody moves it; if nobody does, start cpor again: it ticks on"
            findings = [Finding(_CLOCK, "clock", Level.WARN, found, advice)]
        else:
            findings = [Finding(_CLOCK, "clock", Level.OK, f"simulated, {_at(clock.now())}")]
        last = await _one(
            store,
            "SELECT (convert_from(state, 'UTF8')::jsonb ->> 'timestamp')::timestamptz"
            " FROM cpor.stored_events ORDER BY notification_id DESC LIMIT 1",
        )
        if isinstance(last, datetime) and last > clock.now() + _LARGEST_SKEW:
            advice = "deadlines wait until then: was the simulated clock used, or a clock set back?"
            future = Finding(
                _CLOCK, "last event", Level.WARN, f"in the future: {_at(last)}", advice
            )
            findings.append(future)
    return findings


async def _system(store: AsyncConnection) -> Finding:
    """Real time, which a database that knows a simulated one is not made for."""
    if await _one(store, "SELECT count(*) FROM cpor.simulated_clock"):
        advice = "set CPOR_CLOCK=simulated, as when this database was filled"
        found = "system, over data of a simulated clock"
        return Finding(_CLOCK, "clock", Level.WARN, found, advice)
    return Finding(_CLOCK, "clock", Level.OK, f"system, {_at(real_now())}")


async def _postgresql_skew(store: AsyncConnection) -> Finding:
    asked = real_now()
    return _skew("PostgreSQL's clock", asked, await _one(store, "SELECT clock_timestamp()"))


async def _nats_skew(nats: Connection) -> Finding:
    """By what a server says of any stream, also of one that is missing there."""
    what = "NATS's clock"
    asked = real_now()
    try:
        reply = await nats.request(f"$JS.API.STREAM.INFO.{COMMANDS}", timeout=_PATIENCE)
        told = json.loads(reply.data).get("ts")
    except NoRespondersError:  # JetStream is off
        told = None
    if told is None:
        return Finding(_CLOCK, what, Level.WARN, "unknown: the server doesn't tell")
    return _skew(what, asked, datetime.fromisoformat(told))


def _skew(what: str, asked: datetime, told: datetime) -> Finding:
    """The difference from this machine's clock, less what may have passed while asking."""
    answered = real_now()
    ahead = max(told - answered, timedelta(0)) or min(told - asked, timedelta(0))
    fine = abs(ahead) <= _LARGEST_SKEW
    found = f"{ahead.total_seconds():+.1f} s from this machine's" if ahead else "the same"
    advice = "" if fine else "let both machines keep time by NTP: deadlines are judged by NATS's"
    return Finding(_CLOCK, what, Level.OK if fine else Level.WARN, found, advice)


async def _one(store: AsyncConnection, query: LiteralString, *parameters: object) -> Any:  # noqa: ANN401 - the database's value
    """The first column of the first row, or nothing."""
    row = await (await store.execute(query, parameters)).fetchone()
    return row[0] if row else None


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

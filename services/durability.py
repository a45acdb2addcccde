"""Whether what JetStream acknowledges is on disk already, as far as that can be found out.

No NATS client can ask a server for it. The embedded one has its configuration in the data
directory; an external one may serve its monitoring on the usual port. Who has three copies of each
message needs none of it on disk.
"""

import asyncio
import json
import re
from contextlib import closing
from enum import Enum, auto
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from services.embedded.datadir import DataDir
from services.settings import Settings
from services.streams import COMMANDS

SAFE_REPLICAS: Final = 3
MONITORING_PORT = 8222
"""Where a nats-server tells of itself by HTTP, if it does."""
_PATIENCE = 1.0
_LONGEST_ANSWER = 1024 * 1024
_LAX = "a power cut can lose acknowledged commands"


class OnDisk(Enum):
    """Whether a power cut loses nothing that was acknowledged."""

    YES = auto()
    NO = auto()
    UNKNOWN = auto()


class Durability(NamedTuple):
    """What was found, and a sentence about it."""

    on_disk: OnDisk
    words: str


async def durability(settings: Settings, js: JetStreamContext) -> Durability:
    """How durable the acknowledgements of the server are that these settings name."""
    embedded = _embedded(settings)
    if embedded is not None:
        return _judged(embedded)
    try:
        replicas = (await js.stream_info(COMMANDS)).config.num_replicas or 1
    except NotFoundError:
        replicas = 1
    if replicas >= SAFE_REPLICAS:
        return Durability(OnDisk.YES, f"{replicas} replicas keep each message")
    syncs = await _asked(settings.nats_url)
    if syncs is None:
        return Durability(OnDisk.UNKNOWN, "the server doesn't tell")
    return _judged(syncs)


def _judged(syncs: bool) -> Durability:  # noqa: FBT001 - the one thing that there is to judge
    if syncs:
        return Durability(OnDisk.YES, "always: on disk before it is acknowledged")
    return Durability(OnDisk.NO, f"not always: {_LAX}")


def _embedded(settings: Settings) -> bool | None:
    """Whether the embedded server syncs always; None when these settings name another one."""
    file = DataDir(settings.data_dir).nats / "nats-server.conf"
    try:
        text = file.read_text("utf-8")
    except OSError:
        return None
    if settings.nats_url:
        where = urlsplit(settings.nats_url)
        port = re.search(r"^port: (\d+)$", text, re.MULTILINE)
        if where.hostname != "127.0.0.1" or port is None or where.port != int(port[1]):
            return None
    return re.search(r"^\s*sync_interval: always$", text, re.MULTILINE) is not None


async def _asked(nats_url: str) -> bool | None:
    """What the servers' monitoring says: whether all that tell sync always; None when none does."""
    told = await asyncio.gather(*(_told_by(urlsplit(url).hostname) for url in nats_url.split(",")))
    known = [each for each in told if each is not None]
    return all(known) if known else None


async def _told_by(host: str | None) -> bool | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, MONITORING_PORT)
            with closing(writer):
                writer.write(b"GET /varz HTTP/1.0\r\n\r\n")
                answer = await reader.read(_LONGEST_ANSWER)
                while more := await reader.read(_LONGEST_ANSWER):
                    answer += more
        varz: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return bool(varz["jetstream"]["config"].get("sync_always", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

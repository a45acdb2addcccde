"""How somebody likes to hear from us: language, time zone, and whether reminded at all.

It is kept by a keyed digest of the address, so that nobody's address stands beside it, and changed
by a link that stands in every mail: whoever reads the address's mails may say so, without account.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from services.language.translation import Language
from services.secret import secret
from services.signed_token import SignedToken

_SECRET: Final = "mail-address"  # noqa: S105 - its name
_DIGEST: Final = 16
"""Bytes by which an address is known."""
_TOKEN: Final = SignedToken(b"cpor: how somebody likes to hear from us", f"{_DIGEST}s")

_READ: Final = """
SELECT reminders, language, time_zone FROM cpor.mail_preferences WHERE address_digest = %s
"""
_KEEP: Final = """
INSERT INTO cpor.mail_preferences (address_digest, reminders, language, time_zone)
VALUES (%s, %s, %s, %s)
ON CONFLICT (address_digest) DO UPDATE SET reminders = excluded.reminders,
    language = excluded.language, time_zone = excluded.time_zone
"""


class Preference(NamedTuple):
    """What somebody has chosen; None where that was nothing."""

    reminders: bool = True
    language: Language | None = None
    time_zone: ZoneInfo | None = None


async def make_key(connection: AsyncConnection) -> None:
    """Make the key of the digests, when there is none."""
    await secret(connection, _SECRET)


async def digest_of(connection: AsyncConnection, address: str) -> bytes:
    """What an address is known by."""
    key = await secret(connection, _SECRET)
    return hmac.digest(key, address.casefold().encode(), sha256)[:_DIGEST]


def sign(address_digest: bytes, keys: Mapping[int, bytes]) -> str:
    """The token of the link in somebody's mails, signed with the newest of the keys."""
    return _TOKEN.sign(keys, address_digest)


def read(token: str, keys: Mapping[int, bytes]) -> bytes | None:
    """Whose token it is, as a digest of the address; None for one that is not ours."""
    facts = _TOKEN.read(token, keys)
    return facts[0] if facts else None


def address(public_url: str, token: str) -> str:
    """Where it can be changed."""
    return f"{public_url}/mails/{token}"


async def preference_of(connection: AsyncConnection, address_digest: bytes) -> Preference:
    """What somebody has chosen."""
    row = await (await connection.execute(_READ, [address_digest])).fetchone()
    if row is None:
        return Preference()
    reminders, language, time_zone = row
    return Preference(
        reminders,
        Language(language) if language else None,
        ZoneInfo(time_zone) if time_zone else None,
    )


async def keep(connection: AsyncConnection, address_digest: bytes, chosen: Preference) -> None:
    """Remember what somebody has chosen."""
    zone = chosen.time_zone.key if chosen.time_zone else None
    await connection.execute(_KEEP, [address_digest, chosen.reminders, chosen.language, zone])

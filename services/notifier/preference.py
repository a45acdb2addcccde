"""How somebody likes to hear from us: language, time zone, and whether reminded at all.

It is kept by a keyed digest of the address, so that nobody's address stands beside it, and changed
by a link that stands in every mail: whoever reads the address's mails may say so, without account.
"""

from typing import Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from services.language.translation import Language
from services.notifier import mail_key
from services.signed_token import SignedToken

_ADDRESS: Final = b"address"
_TOKEN: Final = SignedToken(b"cpor: how somebody likes to hear from us", f"{mail_key.SIZE}s")
_KEY_NUMBER: Final = 1

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


def digest_of(key: bytes, address: str) -> bytes:
    """What an address is known by."""
    return mail_key.digest(key, _ADDRESS, address.casefold())


def sign(key: bytes, address_digest: bytes) -> str:
    """The token of the link in somebody's mails."""
    return _TOKEN.sign({_KEY_NUMBER: key}, address_digest)


def read(key: bytes, token: str) -> bytes | None:
    """Whose token it is, as a digest of the address; None for one that is not ours."""
    facts = _TOKEN.read(token, {_KEY_NUMBER: key})
    return facts[0] if facts else None


def page(public_url: str, token: str, language: Language) -> str:
    """Where people change it, in the language of the mail that leads there."""
    return f"{public_url}/mails/{token}?{urlencode({'language': language.value})}"


def one_click(public_url: str, token: str) -> str:
    """Where programs switch reminders off (RFC 8058)."""
    return f"{public_url}/mails/{token}/unsubscribe"


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

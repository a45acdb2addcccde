"""The token of the customer's link: what it is for, and that it is ours, without any record of it.

A token names a claim, the version of the approval that opened the consent period, and when the link
ends, and is signed for this one purpose (R8). Whether it was used is known from the claim itself.
A new approval is another version: a link from before it is dead.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

SHOWN_FOR: Final = timedelta(days=30)
"""How long after the consent period the page still shows what was recorded."""

_PURPOSE: Final = b"cpor: the customer's consent\0"
_FACTS: Final = Struct(">I16sIQ")
"""The key's number, the claim's id, the approval's version, and the last second."""
_TAG: Final = 16
"""Bytes of the signature: nobody guesses at 128 bits by asking a server."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{64}")
"""48 bytes are 64 letters without a remainder: no two texts are the same token."""


class ConsentLink(NamedTuple):
    """What a link is about."""

    claim_id: UUID
    version: int
    """Of the event `approved` that opened the consent period."""
    expires_at: datetime

    @classmethod
    def of(cls, claim_id: UUID, version: int, due_at: datetime) -> "ConsentLink":
        """The link for a consent period that is due then."""
        return cls(claim_id, version, due_at + SHOWN_FOR)


def sign(link: ConsentLink, keys: Mapping[int, bytes]) -> str:
    """The link's token, signed with the newest of the keys: the one with the highest number."""
    number = max(keys)
    expires = int(link.expires_at.timestamp())
    facts = _FACTS.pack(number, link.claim_id.bytes, link.version, expires)
    return base64.urlsafe_b64encode(facts + _tag(keys[number], facts)).decode()


def read(token: str, keys: Mapping[int, bytes], now: datetime) -> ConsentLink | None:
    """What a token is about; None for one that is expired, revoked, foreign, guessed or no token.

    A caller can't tell which, and should not.
    """
    if not _TOKEN.fullmatch(token):
        return None
    signed = base64.urlsafe_b64decode(token)
    facts, tag = signed[: _FACTS.size], signed[_FACTS.size :]
    number, claim_id, version, expires = _FACTS.unpack(facts)
    key = keys.get(number)
    if key is None or not hmac.compare_digest(tag, _tag(key, facts)):
        return None
    link = ConsentLink(UUID(bytes=claim_id), version, datetime.fromtimestamp(expires, UTC))
    return link if now < link.expires_at else None


def address(public_url: str, token: str) -> str:
    """Where the customer's page is."""
    return f"{public_url}/consent/{token}"


def _tag(key: bytes, facts: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + facts, sha256)[:_TAG]

"""The token of the customer's link: what it is for, and that it is ours, without any record of it.

A token names a claim, the version of the approval that opened the consent period, and when the link
ends, and is signed for this one purpose (R8). Whether it was used is known from the claim itself.
A new approval is another version: a link from before it is dead.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from services.language.translation import Language
from services.signed_token import SignedToken

SHOWN_FOR: Final = timedelta(days=30)
"""How long after the consent period the page still shows what was recorded."""

_TOKEN: Final = SignedToken(b"cpor: the customer's consent", "16sIQ")
"""The claim's id, the approval's version, and the last second."""


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
    expires = int(link.expires_at.timestamp())
    return _TOKEN.sign(keys, link.claim_id.bytes, link.version, expires)


def read(token: str, keys: Mapping[int, bytes], now: datetime) -> ConsentLink | None:
    """What a token is about; None for one that is expired, revoked, foreign, guessed or no token.

    A caller can't tell which, and should not.
    """
    facts = _TOKEN.read(token, keys)
    if facts is None:
        return None
    claim_id, version, expires = facts
    link = ConsentLink(UUID(bytes=claim_id), version, datetime.fromtimestamp(expires, UTC))
    return link if now < link.expires_at else None


def address(public_url: str, token: str, language: Language) -> str:
    """Where the customer's page is, in the language of whatever leads there."""
    return f"{public_url}/consent/{token}?{urlencode({'language': language.value})}"

"""The key of what mails are known by: addresses, the notices that they tell of, and their links.

It is apart from the keys of customers' links: whoever revokes those leaves everybody's way to
their preferences as it is.
"""

import hmac
from hashlib import sha256
from typing import Final

from psycopg import AsyncConnection

from services.secret import secret

SIZE: Final = 16
"""Bytes of a digest."""
_SECRET: Final = "mail"  # noqa: S105 - its name


async def mail_key(connection: AsyncConnection) -> bytes:
    """The key, made when there is none."""
    return await secret(connection, _SECRET)


def digest(key: bytes, purpose: bytes, text: str) -> bytes:
    """What a text is known by, to this end and no other: nobody without the key can make it up."""
    return hmac.digest(key, purpose + b"\0" + text.encode(), sha256)[:SIZE]

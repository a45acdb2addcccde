"""Tokens in links that we have signed: what they say is in them, and nothing is kept of them.

A token is signed for one purpose: one that is good elsewhere is worth nothing here. Why none of a
library's are used: docs/decisions/0022-signed-links.md.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from struct import Struct
from typing import Any, Final

_NUMBER: Final = Struct(">I")
_TAG: Final = 16
"""Bytes of the signature: nobody guesses at 128 bits by asking a server."""


class SignedToken:
    """One kind of token: for what it is signed, and the form of what it says.

    With the key's number and the signature its bytes must come to a multiple of three: they are
    letters without a remainder then, and no two texts are the same token.
    """

    def __init__(self, purpose: bytes, form: str) -> None:
        self._purpose = purpose + b"\0"
        self._form = Struct(f">{form}")
        size = _NUMBER.size + self._form.size + _TAG
        if size % 3:
            raise ValueError(f"{size} bytes have a remainder as letters")
        self._text = re.compile(rf"[A-Za-z0-9_-]{{{size // 3 * 4}}}")

    def sign(self, keys: Mapping[int, bytes], *facts: Any) -> str:  # noqa: ANN401 - as struct has it
        """The token that says this, signed with the newest of the keys: of the highest number."""
        number = max(keys)
        signed = _NUMBER.pack(number) + self._form.pack(*facts)
        return base64.urlsafe_b64encode(signed + self._tag(keys[number], signed)).decode()

    def read(self, token: str, keys: Mapping[int, bytes]) -> tuple[Any, ...] | None:
        """What a token says; None for one that is revoked, foreign, guessed or no token."""
        if not self._text.fullmatch(token):
            return None
        content = base64.urlsafe_b64decode(token)
        signed, tag = content[:-_TAG], content[-_TAG:]
        key = keys.get(_NUMBER.unpack_from(signed)[0])
        if key is None or not hmac.compare_digest(tag, self._tag(key, signed)):
            return None
        return self._form.unpack_from(signed, _NUMBER.size)

    def _tag(self, key: bytes, signed: bytes) -> bytes:
        return hmac.digest(key, self._purpose + signed, sha256)[:_TAG]

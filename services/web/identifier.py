"""Identifiers as they stand in addresses."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BeforeValidator, Field, WithJsonSchema

from domain.event import Digest
from services.web.example import CLAIM_ID

_DIGEST = r"sha256:[0-9a-f]{64}"
_CANONICAL = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def _canonical(text: str) -> UUID:
    if not re.fullmatch(_CANONICAL, text):
        raise ValueError("must be a UUID in its usual, lower-case form")
    return UUID(text)


def _digest(text: str) -> str:
    if not re.fullmatch(_DIGEST, text):
        raise ValueError("must be sha256: and 64 hexadecimal digits in lower case")
    return text


ClaimId = Annotated[
    UUID,
    BeforeValidator(_canonical),
    WithJsonSchema(
        {"type": "string", "format": "uuid", "pattern": _CANONICAL, "examples": [CLAIM_ID]}
    ),
    Path(
        description="A UUID in lower case, chosen by whoever creates the claim.",
    ),
]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""What PostgreSQL or NATS has numbered."""
DocumentDigest = Annotated[
    Digest,
    BeforeValidator(_digest),
    Path(description="`sha256:` and 64 hexadecimal digits."),
]

"""What the files in `policies/` have in common: frozen values, and texts in two languages."""

import tomllib
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError


class Part(BaseModel):
    """A frozen part of a resource."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Wording(Part):
    """The same text in English and Turkish."""

    en: str
    tr: str


class Resource(Part):
    """What one TOML file says."""

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a file's text; ValueError says in one sentence what is wrong and where."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"not readable as TOML: {error}") from error
        except ValidationError as error:
            faults = (
                f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
                for fault in error.errors()
            )
            raise ValueError("; ".join(faults)) from error

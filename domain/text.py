"""Texts of a certain form, and the words for what is wrong with others."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class Must:
    """What a text must be, for people: the pattern that stands before it is for machines."""

    be: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The same schema, with these words for whatever does not meet it."""
        return core_schema.custom_error_schema(
            handler(source), "text_form", custom_error_message=f"must be {self.be}"
        )


def one_line(text: str) -> str:
    """The same text. Raises ValueError when it has a line break, or a sign that can't be seen."""
    if not text.isprintable():
        msg = "must be one line of printable characters"
        raise ValueError(msg)
    return text


Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\.[^\s@.<>,;:\"()\[\]\\]+$",
    ),
    AfterValidator(one_line),
    Must("an e-mail address, such as name@company.example"),
]

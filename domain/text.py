"""Texts of a certain form, and the words for what is wrong with others."""

from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler
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

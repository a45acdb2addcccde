"""A claim as a form: its fields, the steps in which they are filled in, what is wrong with them.

What a field must look like is the command's to say, what goes together the catalogue's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from starlette.datastructures import FormData

from domain.catalogue import Catalogue, Product
from domain.command import CreateClaim, EditClaim
from domain.refusal import FieldError
from domain.vocabulary import SolutionArea
from services.json_document import pointer_to, sentence
from services.language.translation import N_
from services.web.page.draft import Filled
from services.web.page.form import command_data
from services.web.page.visit import Guest
from services.web.page.wording import in_words

Wrong = Mapping[str, Sequence[str]]
"""What is wrong with a form, in its reader's language: sentences by fields' names."""


class Field(NamedTuple):
    """How a field is shown: what it is called, what helps to fill it in, the kind of input."""

    label: str
    help: str = ""
    kind: str = "text"
    is_optional: bool = False


FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "customer.name": Field(N_("Customer's name")),
        "customer.domain": Field(N_("Customer's domain"), N_("Such as company.example.")),
        "customer.tenant_id": Field(
            N_("Tenant id"),
            N_("The GUID of the customer's directory; its administrators can look it up."),
        ),
        "customer_contact.name": Field(N_("Contact's name")),
        "customer_contact.title": Field(N_("Contact's title"), N_("Such as Head of IT.")),
        "customer_contact.email": Field(
            N_("Contact's e-mail address"),
            N_("Once the claim is approved, the vendor tells them so and how to decline."),
            "email",
        ),
        "solution_area": Field(N_("Solution area"), kind="radio"),
        "activities": Field(N_("What you did for the customer"), kind="checkbox"),
        "products": Field(
            N_("Products"), N_("Only what your proof of execution names."), kind="checkbox"
        ),
        "subscription_ids": Field(
            N_("Subscription ids"), N_("One a line; needed for products that say so."), "lines"
        ),
        "name": Field(
            N_("Claim's name"), N_("What you and the reviewers will find it by in lists.")
        ),
        "mpn_id": Field(N_("MPN id"), N_("Of the location that the claim counts for.")),
        "partner_contact.name": Field(N_("Your contact's name")),
        "partner_contact.email": Field(
            N_("Your contact's e-mail address"),
            N_("Questions of the reviewers and decisions go there."),
            "email",
        ),
        "supersedes": Field(
            N_("Rejected claim that this one takes the place of"), kind="select", is_optional=True
        ),
    }
)
"""Every field that a claim is created with (R1), by its name in forms."""


class Step(NamedTuple):
    """A part of the form, with a page of its own."""

    name: str
    title: str
    fields: tuple[str, ...]

    def of(self, wrong: Wrong) -> Wrong:
        """What of it is wrong with this step."""
        return {name: wrong[name] for name in self.fields if name in wrong}


STEPS: Final = (
    Step(
        "customer",
        N_("Customer"),
        tuple(name for name in FIELDS if name.startswith(("customer.", "customer_contact."))),
    ),
    Step("work", N_("What was done"), ("solution_area", "activities")),
    Step("products", N_("Products"), ("products", "subscription_ids")),
    Step(
        "partner",
        N_("Your side"),
        ("name", "mpn_id", "partner_contact.name", "partner_contact.email", "supersedes"),
    ),
)

_TOGETHER: Final = frozenset({"solution_area", "activities", "products", "subscription_ids"})
"""What the catalogue judges together."""


def data_of(filled: Filled) -> dict[str, Any]:
    """The data of the command that creates this claim; what is not filled in is empty in it."""
    return command_data(
        "create_claim",
        FormData([(name, value) for name in FIELDS for value in filled.get(name) or [""]]),
    )


def wrong_with(data: Mapping[str, Any], catalogue: Catalogue, on: date) -> Sequence[FieldError]:
    """What is wrong with a new claim on that day, field by field."""
    errors = _misshapen(CreateClaim, data)
    misshapen = {_top(error.pointer) for error in errors}
    if "solution_area" not in misshapen:
        parts = {name: data[name] for name in _TOGETHER - misshapen if name in data}
        well = EditClaim.model_validate(parts)
        problems = catalogue.problems(
            SolutionArea(data["solution_area"]),
            well.activities or (),
            well.products or (),
            well.subscription_ids or (),
            on,
        )
        errors += [each for each in problems if _top(each.pointer) not in misshapen]
    return errors


def wrong_with_changes(changes: Mapping[str, Any]) -> Sequence[FieldError]:
    """What is misshapen in the data of an edit."""
    return _misshapen(EditClaim, changes)


def told(visit: Guest, errors: Iterable[FieldError], data: Mapping[str, Any]) -> Wrong:
    """What is wrong, by fields and for people; one of several values is named."""
    wrong: dict[str, list[str]] = {}
    for error in errors:
        name = _field_of(error.pointer)
        words = in_words(visit, error.detail)
        if name == "subscription_ids" and (index := error.pointer.rpartition("/")[2]).isdecimal():
            words = f"{data[name][int(index)]}: {words}"
        wrong.setdefault(name, []).append(words)
    return wrong


def is_foreign_address(filled: Filled) -> bool:
    """Whether the customer contact's e-mail address is not in the customer's domain."""
    domain = value_of(filled, "customer.domain").strip().casefold()
    _, at, host = value_of(filled, "customer_contact.email").strip().casefold().rpartition("@")
    return bool(domain and at and host) and host != domain and not host.endswith(f".{domain}")


def value_of(filled: Filled, name: str) -> str:
    """A field's only value; empty without one."""
    return next(iter(filled.get(name, ())), "")


def claimable(
    catalogue: Catalogue, filled: Filled, on: date, kept: Sequence[str] = ()
) -> Mapping[SolutionArea, Sequence[Product]]:
    """The products to choose from, by solution area: of the chosen one alone, once one is chosen.

    Those that are kept are among them, offered or not.
    """
    area, activities = value_of(filled, "solution_area"), set(filled.get("activities", ()))
    found: dict[SolutionArea, list[Product]] = {}
    for product in catalogue.products:
        is_fitting = product.offered(on) and (
            not activities or activities & set(product.activities)
        )
        if (is_fitting or product.code in kept) and area in {"", product.solution_area}:
            found.setdefault(product.solution_area, []).append(product)
    return found


def _misshapen(model: type[CreateClaim | EditClaim], data: Mapping[str, Any]) -> list[FieldError]:
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [FieldError(pointer_to(*each["loc"]), sentence(each)) for each in error.errors()]
    return []


def _top(pointer: str) -> str:
    return pointer[1:].partition("/")[0]


def _field_of(pointer: str) -> str:
    dotted = pointer[1:].replace("/", ".")
    return dotted if dotted in FIELDS else _top(pointer)

"""What is found wrong, in the words and the language of whoever reads a page."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from services.web.page import word
from services.web.page.translation import N_, Language

if TYPE_CHECKING:  # a visit knows these words itself
    from services.web.page.visit import Guest

_SENTENCES: Final = tuple(
    (re.compile(pattern, re.DOTALL), message)
    for pattern, message in (
        ("is missing|must not be empty|must have at least .*", N_("This is needed.")),
        (r"at least one (product|activity) is needed", N_("This is needed.")),
        ("must be '.*|must be a product's code.*", N_("Choose from the list.")),
        (r"must have at most (?P<n>\d+) characters", N_("At most %(n)s characters, please.")),
        (r"must have at most (?P<n>\d+)", N_("At most %(n)s, please.")),
        (
            "must be one line of printable characters",
            N_("One line of printable characters, please."),
        ),
        (
            r"must not contain the control character (?P<sign>\S+)",
            N_("The control character %(sign)s can't be part of it."),
        ),
        (
            "must be an e-mail address.*",
            N_("Enter an e-mail address, such as name@company.example."),
        ),
        ("must be a domain name.*", N_("Enter a domain name, such as company.example.")),
        (
            "must be a UUID",
            N_("Enter a GUID, such as 7e4a0c52-9f3b-4a57-8d0e-2a7c5b1f4e01."),
        ),
        (
            r"must be 1 to (?P<n>\d+) of A-Z a-z 0-9 -",
            N_("Up to %(n)s letters, digits and hyphens, please."),
        ),
        (
            r"must be 1 to (?P<n>\d+) of A-Z a-z 0-9 _ -",
            N_("Up to %(n)s letters, digits, hyphens and underscores, please."),
        ),
        ("must not name anything twice", N_("Name nothing twice.")),
        (r"(?P<raw>\S+) is named more than once", N_("%(raw)s is named more than once.")),
        (
            r"there is no product '(?P<product>\w+)' in the catalogue",
            N_("%(product)s is none of the products that can be claimed."),
        ),
        (
            r"(?P<product>\w+) can be claimed from (?P<raw>\S+) on",
            N_("%(product)s can be claimed from %(raw)s on."),
        ),
        (
            r"(?P<product>\w+) could be claimed until (?P<raw>\S+)",
            N_("%(product)s could be claimed until %(raw)s."),
        ),
        (
            r"(?P<product>\w+) belongs to (?P<area>\w+), not to (?P<other_area>\w+)",
            N_("%(product)s belongs to the solution area %(area)s, not to %(other_area)s."),
        ),
        (
            r"(?P<product>\w+) can be claimed for (?P<activities>.+) only",
            N_("%(product)s can only be claimed for: %(activities)s."),
        ),
        (
            "at least one is needed for (?P<products>.+)",
            N_("At least one is needed for: %(products)s."),
        ),
        (
            r"(?P<area>\w+) has no activity (?P<activities>\w+)",
            N_("“%(activities)s” is no activity of the solution area %(area)s."),
        ),
        (
            "(?P<activities>.+) cannot be claimed together",
            N_("These can't be claimed together: %(activities)s."),
        ),
        (
            "names no rejected claim of this organisation",
            N_("Choose one of your organisation's rejected claims."),
        ),
        ("cannot change after submission", N_("This can't be changed after submission.")),
        ("is empty", N_("The file is empty.")),
        (
            "must be (one file; .*|a file with a name)",
            N_("Choose a file that has a name."),
        ),
        (
            "must have a name .*",
            N_("The file's name is too long, or can't be read. Give it another one."),
        ),
        (
            r"(?P<raw>.+) is none of the kinds that are taken: (?P<kinds>.+)",
            N_("The content of %(raw)s is none of the kinds that are taken: %(kinds)s."),
        ),
        (
            r"\d+ bytes; a document has at most \d+|the body has more than \d+ bytes",
            N_("The file is too large: 20 MiB at most."),
        ),
        (
            "(?P<raw>.+) is already attached to this claim",
            N_("%(raw)s is already part of this claim's proof."),
        ),
        (
            "a justification or a new document is needed",
            N_("Give a justification, or add a new document."),
        ),
        (r"a claim has at most (?P<n>\d+) documents", N_("A claim has at most %(n)s documents.")),
        ("there (is|was) no such claim( then)?", N_("There is no such claim.")),
        ("the claim has no such document", N_("The claim has no such document.")),
        (
            r"the claim has come to version (?P<n>\d+) only",
            N_("The claim has come to version %(n)s only."),
        ),
        (
            "there is no such (unfinished claim|view|field|step|action)",
            N_("There is no such thing here, or it is not there any more."),
        ),
        (r"There is no dead letter (?P<n>\d+)\.", N_("There is no dead letter %(n)s.")),
        ("operators don't read documents", N_("Operators don't read documents.")),
        ("only operators run the system", N_("Only operators run the system.")),
        ("the queue is the reviewers'", N_("The queue is the reviewers'.")),
        (
            "figures are for partners, reviewers, auditors and operators",
            N_("Figures are for partners, reviewers, auditors and operators."),
        ),
        ("only the customer has this link", N_("Only the customer has this link.")),
        (
            "there is no approval that a customer was told about",
            N_("There is no approval that a customer was told about."),
        ),
        (r"\w+ may not send \w+", N_("You may not do this.")),
        (
            r"the projection (?P<raw>\w+) is being rebuilt",
            N_("The projection %(raw)s is being rebuilt. One is rebuilt at a time."),
        ),
        (
            r"too many requests; try again in (?P<n>\d+) s",
            N_("Too many requests came from you. Try again in %(n)s s."),
        ),
        (
            "(a server of ours|NATS|the virus scanner) can't be (reached|asked)( at the moment)?",
            N_("A part of the system can't be reached at the moment. Try again soon."),
        ),
        ("the document did not arrive in time", N_("The document did not arrive in time.")),
        ("must be one of .+", N_("Choose one of those that are offered.")),
        (r"must be 1 to (?P<n>\d+) characters", N_("At most %(n)s characters, please.")),
        (
            r"would be one view more than the (?P<n>\d+) that can be kept",
            N_("More than %(n)s views can't be kept. Delete one first."),
        ),
        ("must not be before the first day", N_("This must not be before the first day.")),
        (r"must be a day such as (?P<raw>\S+)", N_("Enter a day such as %(raw)s.")),
        (
            r"must be from (?P<first>\d+) to (?P<last>\d+)",
            N_("Enter a year from %(first)s to %(last)s."),
        ),
        (
            "is missing, or not as the page had it|is not what the form said",
            N_("This is not as the page had it. Open the page again."),
        ),
        (
            "must be (a UUID in its usual, lower-case form|sha256: and 64 hexadecimal .*)",
            N_("The address is not complete, or was changed."),
        ),
    )
)
"""What is found wrong, and how it is said on a form; what varies is named by its kind."""

TITLES: Final = (
    N_("The body can't be read"),
    N_("The caller is unknown"),
    N_("Not allowed"),
    N_("Not found"),
    N_("Not possible in this status"),
    N_("Too late"),
    N_("Already exists"),
    N_("Command id was used for another command"),
    N_("The claim has changed since"),
    N_("Too large"),
    N_("Unsupported media type"),
    N_("Wrong or unknown fields"),
    N_("Too many requests"),
    N_("Unavailable: nothing was recorded"),
    N_("Outcome unknown: ask again with the same id"),
    N_("Method not allowed"),
    N_("The request took too long to arrive"),
    N_("Not the host that was asked for"),
    N_("Something failed on our side"),
)
"""The problems' titles."""

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stale_version": N_(
            "The claim has changed since you opened this page. Look at what is new, then send it"
            " again: what you filled in is still there."
        ),
        "not_possible": N_("This is not possible as the claim stands now."),
        "too_late": N_("The period for this has passed."),
        "not_allowed": N_("You may not do this."),
        "not_found": N_("There is no such claim, or none that you may know of."),
        "invalid": N_("Something is still missing or wrong."),
        "already_exists": N_("This is there already."),
        "too_large": N_("This is more than can be taken."),
        "command_id_reused": N_(
            "This form was sent before, with something else in it. What was sent first stands."
        ),
        "unavailable": N_(
            "A part of the system can't be reached at the moment. Nothing was recorded: try again."
        ),
        "outcome_unknown": N_(
            "It is not known whether this was recorded. Send it again: it has its effect once."
        ),
    }
)
"""What a refusal means for a whole form, by its code."""


def in_words(visit: "Guest", sentence: str) -> str:
    """What is wrong with a field, for people; a sentence that is not known as it stands."""
    return _known(visit, sentence) or sentence


def problem_in_words(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """What a problem is, in one sentence; what is wrong with fields is told beside it.

    A detail that is not known stands as it is for who reads English; others read the title.
    """
    english: str = problem["title"]
    title, detail = visit.say(english), problem.get("detail")
    if not detail or problem.get("errors"):
        return title
    if known := _known(visit, detail):
        return known
    return detail if visit.taste.language is Language.ENGLISH else title


def refusal_in_words(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """Why a whole form was refused, for people: as exactly as it is known."""
    code: str = problem["type"].rpartition("/")[2]
    if known := _known(visit, problem["detail"]):
        return known
    return visit.say(_REFUSALS[code]) if code in _REFUSALS else problem_in_words(visit, problem)


def told(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """What is wrong, in one text: with each field, or else with the whole."""
    if errors := problem.get("errors"):
        return " ".join(in_words(visit, each["detail"]) for each in errors)
    return refusal_in_words(visit, problem)


def _known(visit: "Guest", sentence: str) -> str | None:
    for pattern, message in _SENTENCES:
        found = pattern.fullmatch(sentence)
        if found:
            values = {kind: _called(visit, kind, it) for kind, it in found.groupdict().items()}
            return visit.say(message, **values)
    return None


def _called(visit: "Guest", kind: str, named: str) -> str:
    match kind:
        case "product" | "products":
            return ", ".join(visit.product_name(code) for code in named.split(", "))
        case "area" | "other_area":
            return visit.say(word.SOLUTION_AREA[named].word)
        case "activities":
            codes = re.split(" and | or ", named)
            return ", ".join(visit.say(word.ACTIVITY[code].word) for code in codes)
        case _:
            return named

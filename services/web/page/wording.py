"""What is found wrong, in the words and the language of whoever reads a page."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from services.language import word
from services.language.translation import N_, Language
from services.web.document import MAX_UPLOAD_BYTES

if TYPE_CHECKING:  # a visit knows these words itself
    from services.web.page.visit import Guest

_MAY_NOT: Final = N_("You may not do this.")
_NOT_POSSIBLE: Final = N_("This is not possible as the claim stands now.")
_TOO_LATE: Final = N_("The period for this has passed.")
_STALE: Final = N_(
    "The claim has changed since you opened this page. Look at what is new, then send it again:"
    " what you filled in is still there."
)
_REUSED: Final = N_(
    "This form was sent before, with something else in it. What was sent first stands."
)
_UNKNOWN: Final = N_(
    "It is not known whether this was recorded. Send it again: it has its effect once."
)
_AWAY: Final = N_(
    "A part of the system can't be reached at the moment. Nothing was recorded: try again."
)
_NOT_AS_SHOWN: Final = N_("This is not as the page had it. Open the page again.")

SENTENCES: Final = tuple(
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
            r"must not contain the (control )?character (?P<sign>\S+)",
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
            rf"\d+ bytes; a document .*|the body has more than {MAX_UPLOAD_BYTES} bytes",
            N_("The file is too large: 20 MiB at most."),
        ),
        (
            r"\d+ bytes; a command has at most \d+|the body has more than \d+ bytes",
            N_("This is more than can be taken."),
        ),
        (
            "(?P<raw>.+) is not taken: the virus scanner found (?P<finding>.+)",
            N_("%(raw)s is not taken: the virus scanner found %(finding)s."),
        ),
        (
            "is no document that this organisation uploaded",
            N_("Your organisation did not upload this document."),
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
        ("there is no development mailbox here", N_("There is no development mailbox here.")),
        ("there is no such mail", N_("There is no such mail.")),
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
        (r"\w+ may not send \w+|only partners upload documents", _MAY_NOT),
        ("ids that begin with .+ are the .+'s", _MAY_NOT),
        ("only reviewers write internal comments", N_("Only reviewers write internal comments.")),
        (
            "a dispute is decided by another reviewer than the one who rejected",
            N_("A dispute is decided by another reviewer than the one who rejected."),
        ),
        (
            "a claim needs at least one proof of execution before it can be submitted",
            N_("Add at least one proof of execution first."),
        ),
        (r"(?P<product>\w+) is not claimed", N_("%(product)s is not part of this claim.")),
        (r"\w+ is not possible in the state \w+", _NOT_POSSIBLE),
        (".+ has (passed|closed)", _TOO_LATE),
        (r"the claim is at version \d+, the decision was made on version \d+", _STALE),
        ("the claim does not exist yet", _STALE),
        ("there is a claim with this id already", N_("This claim is there already.")),
        (".+ was accepted before, for a command with other content", _REUSED),
        ("no outcome of the command .+ came in .+ seconds", _UNKNOWN),
        ("this NATS server has no command stream", _AWAY),
        ("the command (stream refuses it|could not be sent): .+", _AWAY),
        (
            r"the projection (?P<raw>\w+) is being rebuilt",
            N_("The projection %(raw)s is being rebuilt. One is rebuilt at a time."),
        ),
        (
            r"too many requests; try again in (?P<n>\d+) s",
            N_("Too many requests came from you. Try again in %(n)s s."),
        ),
        (
            ".+ can't be (reached|asked|used)( at the moment)?",
            N_("A part of the system can't be reached at the moment. Try again soon."),
        ),
        (
            r"Dead letter (?P<n>\d+) stays: (?P<raw>\S+) did not take it .+",
            N_("The dead letter %(n)s stays: %(raw)s did not take it."),
        ),
        ("The dead letters can't be read: .+", N_("The dead letters can't be read.")),
        (
            "the document's content can't be read at the moment",
            N_("Its content can't be read at the moment. It is logged."),
        ),
        (
            "the clock is the machine's: only with CPOR_CLOCK=simulated it can be moved",
            N_("The clock is the machine's: it can't be moved."),
        ),
        (
            "the clock does not run backwards once an event exists",
            N_("The clock does not run backwards."),
        ),
        (
            r"must not lead to the year (?P<n>\d+)",
            N_("This must not lead to the year %(n)s."),
        ),
        (
            "the move was broken off, for want of (?P<raw>.+)",
            N_("The move was broken off, because this stopped: %(raw)s."),
        ),
        (
            "not everything runs that the clock moves: (?P<raw>.+)",
            N_("The clock can't be moved, because this does not run: %(raw)s."),
        ),
        ("the document did not arrive in time", N_("The document did not arrive in time.")),
        (
            "must be one of .+|is none of those to choose from",
            N_("Choose one of those that are offered."),
        ),
        (r"must be 1 to (?P<n>\d+) characters", N_("At most %(n)s characters, please.")),
        (
            r"would be one view more than the (?P<n>\d+) that can be kept",
            N_("More than %(n)s views can't be kept. Delete one first."),
        ),
        ("must not be before the first day", N_("This must not be before the first day.")),
        (r"must be a day(, as in| such as) (?P<raw>\S+)", N_("Enter a day such as %(raw)s.")),
        (
            "must be a date and time with its offset, as in (?P<raw>.+)",
            N_("Enter a date and time with its offset, such as %(raw)s."),
        ),
        ("must be a whole number", N_("Enter a whole number.")),
        (r"must be at least (?P<n>\d+)", N_("At least %(n)s, please.")),
        (r"must be at most (?P<n>\d+)", N_("At most %(n)s, please.")),
        ("is not known", N_("Nothing of this name is known here.")),
        (
            r"must be from (?P<first>\d+) to (?P<last>\d+)",
            N_("Enter a year from %(first)s to %(last)s."),
        ),
        ("is missing, or not as the page had it|is not what the form said", _NOT_AS_SHOWN),
        ("is not a cursor of this list|is a cursor of the order .+, not of .+", _NOT_AS_SHOWN),
        ("must be (an object|an array|a string|true or false)", _NOT_AS_SHOWN),
        ("names no field to change|cannot be emptied", _NOT_AS_SHOWN),
        ("send multipart/form-data with a field named file", _NOT_AS_SHOWN),
        (
            "the request comes from another site's page",
            N_("The request came from another site's page. Open ours, and send it from there."),
        ),
        ("this is not (?P<raw>.+)", N_("This system does not go by the name %(raw)s.")),
        (
            "the request could not be served; the fault is logged",
            N_("The request could not be served. The fault is logged."),
        ),
        ("there is nothing at (?P<raw>.+)", N_("There is nothing at %(raw)s.")),
        (r"\w+ can't be done to (?P<raw>.+)", N_("This can't be done at %(raw)s.")),
        (
            "must be (a UUID in its usual, lower-case form|sha256: and 64 .*)",
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

REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stale_version": _STALE,
        "not_possible": _NOT_POSSIBLE,
        "too_late": _TOO_LATE,
        "not_allowed": _MAY_NOT,
        "not_found": N_("There is no such claim, or none that you may know of."),
        "invalid": N_("Something is still missing or wrong."),
        "already_exists": N_("This is there already."),
        "too_large": N_("This is more than can be taken."),
        "unsupported_media_type": N_("What was sent is of a kind that is not taken here."),
        "command_id_reused": _REUSED,
        "malformed": N_("What was sent can't be read. Open the page again."),
        "unauthenticated": N_("You are not signed in."),
        "method_not_allowed": N_("This can't be done here."),
        "request_timeout": N_("What was sent did not arrive in time."),
        "wrong_host": N_("This system goes by another name."),
        "rate_limited": N_("Too many requests came from you. Try again later."),
        "unavailable": _AWAY,
        "outcome_unknown": _UNKNOWN,
        "failed": N_("The request could not be served. The fault is logged."),
    }
)
"""What a refusal means for a whole form, by its code."""


def in_words(visit: "Guest", sentence: str) -> str:
    """What is wrong with a field, for people.

    A sentence that is not known stands as it is for who reads English; to others it says little.
    """
    if known := _known(visit, sentence):
        return known
    is_english = visit.taste.language is Language.ENGLISH
    return sentence if is_english else visit.say(N_("This can't be taken as it is."))


def problem_in_words(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """What a problem is, in one sentence; what is wrong with fields is told beside it.

    A detail that is not known stands as it is for who reads English; others read what a refusal
    of its kind means.
    """
    title: str = problem["title"]
    detail: str = problem.get("detail", "")
    if not detail or problem.get("errors"):
        return visit.say(title)
    if known := _known(visit, detail):
        return known
    if visit.taste.language is Language.ENGLISH:
        return detail
    return visit.say(REFUSALS[_code(problem)])


def refusal_in_words(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """Why a whole form was refused, for people: as exactly as it is known."""
    if known := _known(visit, problem["detail"]):
        return known
    return visit.say(REFUSALS[_code(problem)])


def _code(problem: Mapping[str, Any]) -> str:
    kind: str = problem["type"]
    return kind.rpartition("/")[2]


def told(visit: "Guest", problem: Mapping[str, Any]) -> str:
    """What is wrong, in one text: with each field, or else with the whole."""
    if errors := problem.get("errors"):
        return " ".join(in_words(visit, each["detail"]) for each in errors)
    return refusal_in_words(visit, problem)


def _known(visit: "Guest", sentence: str) -> str | None:
    for pattern, message in SENTENCES:
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

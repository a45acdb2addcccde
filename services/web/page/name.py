"""The domain's codes as the reader calls them, wherever they stand."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from domain.vocabulary import (
    ActionReason,
    Activity,
    Assessment,
    AssessmentResult,
    ClockName,
    Consent,
    Dispute,
    Programme,
    RejectionReason,
    SolutionArea,
    Status,
    Turn,
)
from services.language import word
from services.language.word import Look
from services.web.page.visit import Visit

_LOOKS: Final[Mapping[type, Mapping[str, Look]]] = MappingProxyType(
    {
        ActionReason: word.ACTION_REASON,
        Activity: word.ACTIVITY,
        Assessment: word.ASSESSMENT,
        AssessmentResult: word.ASSESSMENT,
        ClockName: word.CLOCK,
        Consent: word.CONSENT,
        Dispute: word.DISPUTE,
        Programme: word.PROGRAMME,
        RejectionReason: word.REJECTION_REASON,
        SolutionArea: word.SOLUTION_AREA,
        Status: word.STATUS,
        Turn: word.TURN,
    }
)


def name_of(visit: Visit, code: str) -> str:
    """What the reader calls a value of the domain; a code of no such kind is a product's."""
    looks = _LOOKS.get(type(code))
    return visit.say(looks[code].word) if looks else visit.product_name(code)


def names_of(visit: Visit, codes: Iterable[str]) -> str:
    """Several of them, one after the other."""
    return ", ".join(name_of(visit, code) for code in codes)

"""Insights: how claims fare, in figures of a period that the reader chooses by their own days."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, format_percent
from fastapi import APIRouter, Query
from fastapi.responses import Response

from domain.access import require_counter
from domain.lifecycle import LIFECYCLE, Phase
from domain.refusal import FieldError, Invalid
from projections.insight import Insight, Period, StageFigures, insight
from projections.stage import Step
from services.language import word
from services.language.translation import N_
from services.web import problem
from services.web.page.route import PageRoute
from services.web.page.visit import Visit, Visitor


class Preset(StrEnum):
    """Periods that can be chosen by a name, which keeps its meaning as days go by."""

    MONTH = "30-days"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


class Days(NamedTuple):
    """The first and the last day of a period; None: from the beginning, without an end."""

    first: date | None
    last: date | None

    def period(self, zone: ZoneInfo) -> Period:
        """The instants between which these days lie, in a time zone."""
        return Period(
            datetime.combine(self.first, time(), zone) if self.first else None,
            datetime.combine(self.last + _DAY, time(), zone) if self.last else None,
        )


class Series(NamedTuple):
    """Values of a chart that belong together, with the texts that stand beside them."""

    name: str
    tone: str
    values: Sequence[float]
    texts: Sequence[str]


class Chart(NamedTuple):
    """What a chart draws: bars, a group or a stack of them for each category."""

    categories: Sequence[str]
    series: Sequence[Series]
    stacked: bool = False

    def data(self) -> dict[str, Any]:
        """The same, for the script that draws it."""
        return {**self._asdict(), "series": [series._asdict() for series in self.series]}


PRESETS: Final[Mapping[Preset, str]] = MappingProxyType(
    {
        Preset.MONTH: N_("Last 30 days"),
        Preset.QUARTER: N_("This quarter"),
        Preset.YEAR: N_("This year"),
        Preset.ALL: N_("All"),
    }
)
STEP: Final[Mapping[Step, str]] = MappingProxyType(
    {
        Step.CREATED: N_("Created"),
        Step.SUBMITTED: N_("Submitted"),
        Step.REVIEW_STARTED: N_("Review started"),
        Step.DECIDED: N_("Decided"),
        Step.APPROVED: N_("Approved"),
        Step.CONSENT_ELAPSED: N_("Consent given by silence"),
    }
)
STAGE: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.EDITING: N_("Editing"),
        Phase.SUBMITTED: N_("Submitted"),
        Phase.UNDER_REVIEW: N_("Under review"),
        Phase.ACTION_REQUIRED: N_("Partner action required"),
        Phase.ACTION_REQUIRED_IN_DISPUTE: N_("Partner action required, in a dispute"),
        Phase.CONSENT_PENDING: N_("Consent pending"),
        Phase.DISPUTABLE: N_("Rejected, may be disputed"),
        Phase.DISPUTED: N_("Dispute open"),
    }
)
"""The stages that come to an end, in the order in which claims meet them."""

_DAY: Final = timedelta(days=1)
_MINUTES_A_DAY: Final = 24 * 60
_YEARS: Final = range(2000, 2100)
_QUARTER: Final = 3

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/insights")
async def show(
    visit: Visitor,
    period: Annotated[Preset, Query()] = Preset.MONTH,
    first: Annotated[str, Query(alias="from")] = "",
    last: Annotated[str, Query(alias="to")] = "",
) -> Response:
    """The figures of the days from … to, when they are given, else of a period by its name."""
    require_counter(visit.actor)
    preset = None if first or last else period
    context: dict[str, Any] = {"preset": preset, "presets": PRESETS, "first": first, "last": last}
    try:
        days = _days(first, last) if preset is None else _named(preset, _today(visit))
    except Invalid as refusal:
        told = problem.body(refusal)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return visit.page("insights.html", status=status, problem=told, figures=None, **context)
    context |= {"first": days.first or "", "last": days.last or ""}
    async with visit.backend.pool.connection() as connection:
        figures = await insight(connection, days.period(visit.taste.time_zone), reader=visit.actor)
    return visit.page("insights.html", problem=None, **context, **_shown(visit, figures))


def _today(visit: Visit) -> date:
    return visit.now.astimezone(visit.taste.time_zone).date()


def _named(preset: Preset, today: date) -> Days:
    """The days of a period by its name."""
    match preset:
        case Preset.MONTH:
            return Days(today - 29 * _DAY, today)
        case Preset.QUARTER:
            month = (today.month - 1) // _QUARTER * _QUARTER + 1
            return Days(today.replace(month=month, day=1), today)
        case Preset.YEAR:
            return Days(today.replace(month=1, day=1), today)
        case Preset.ALL:
            return Days(None, None)


def _days(first: str, last: str) -> Days:
    """The days as a form states them. Raises Invalid."""
    days = Days(_day("/from", first), _day("/to", last))
    if days.first and days.last and days.first > days.last:
        raise Invalid([FieldError("/to", "must not be before the first day")])
    return days


def _day(pointer: str, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid([FieldError(pointer, "must be a day such as 2031-05-25")]) from None
    if day.year not in _YEARS:
        raise Invalid([FieldError(pointer, f"must be from {_YEARS.start} to {_YEARS[-1]}")])
    return day


def _shown(visit: Visit, figures: Insight) -> dict[str, Any]:
    """Figures as their tables and charts show them."""
    texts = _Texts(visit)
    stages = {phase: figures.stages[phase] for phase in STAGE if phase in figures.stages}
    return {
        "figures": figures,
        "stages": stages,
        "STEP": STEP,
        "STAGE": STAGE,
        "LIFECYCLE": LIFECYCLE,
        "number": texts.number,
        "share": texts.share,
        "days": texts.days,
        "charts": {
            "steps": _steps(visit, texts, figures),
            "reasons": _reasons(visit, texts, figures),
            "kept": _kept(visit, texts, figures),
            "stages": _stages(visit, texts, stages),
            "held": _held(visit, texts, figures),
        },
    }


class _Texts:
    """Numbers as the visitor reads them."""

    def __init__(self, visit: Visit) -> None:
        locale = visit.taste.language.value
        self.number = partial(format_decimal, locale=locale)
        self._percent = partial(format_percent, format=None, locale=locale)
        self._decimal = partial(format_decimal, format="#,##0.0", locale=locale)

    def share(self, part: int, whole: int) -> str:
        """A part in percent; a dash where there is no whole."""
        return self._percent(part / whole) if whole else "–"

    def days(self, minutes: int) -> str:
        """Minutes in days."""
        return self._decimal(minutes / _MINUTES_A_DAY)


def _steps(visit: Visit, texts: _Texts, figures: Insight) -> Chart:
    counts = list(figures.steps.values())
    said = [visit.say(STEP[step]) for step in figures.steps]
    return Chart(said, [_counted(visit.say(N_("Claims")), "accent", counts, texts)])


def _reasons(visit: Visit, texts: _Texts, figures: Insight) -> Chart:
    given = {reason: n for reason, n in figures.reasons.items() if n}
    said = [visit.say(word.REJECTION_REASON[reason].word) for reason in given]
    return Chart(said, [_counted(visit.say(N_("Rejections")), "bad", given.values(), texts)])


def _kept(visit: Visit, texts: _Texts, figures: Insight) -> Chart:
    kept = figures.kept
    said = [visit.say(word.CLOCK[clock].word) for clock in kept]
    in_time = _counted(visit.say(N_("In time")), "good", (n for n, _ in kept.values()), texts)
    missed = _counted(visit.say(N_("Missed")), "bad", (n for _, n in kept.values()), texts)
    return Chart(said, [in_time, missed], stacked=True)


def _stages(visit: Visit, texts: _Texts, stages: Mapping[Phase, StageFigures]) -> Chart:
    def series(name: str, tone: str, minutes: Sequence[int]) -> Series:
        days = [round(each / _MINUTES_A_DAY, 3) for each in minutes]
        return Series(name, tone, days, [texts.days(each) for each in minutes])

    said = [visit.say(STAGE[phase]) for phase in stages]
    median = [each.median for each in stages.values()]
    p90 = [each.p90 for each in stages.values()]
    return Chart(
        said,
        [
            series(visit.say(N_("Half took at most")), "accent", median),
            series(visit.say(N_("Nine of ten took at most")), "busy", p90),
        ],
    )


def _held(visit: Visit, texts: _Texts, figures: Insight) -> Chart:
    held = figures.held
    total = sum(held.values())
    return Chart(
        [""],
        [
            Series(
                visit.say(word.TURN[turn].word),
                word.TURN[turn].tone,
                [minutes],
                [texts.share(minutes, total)],
            )
            for turn, minutes in held.items()
        ],
        stacked=True,
    )


def _counted(name: str, tone: str, counts: Iterable[int], texts: _Texts) -> Series:
    values = list(counts)
    return Series(name, tone, values, [texts.number(each) for each in values])

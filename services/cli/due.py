"""`cpor due`: when a period is due, for one instant or for every row of a CSV file (R16)."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated, Self, TextIO, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from domain.calendar import BusinessCalendar, Due, Unit, calendar_version
from services.cli.option import Json

COLUMNS = ("opened_at", "days", "unit", "time_zone", "holiday_country")

_Value = TypeVar("_Value")


class Unreadable(Exception):  # noqa: N818 - an answer to the caller, not an error of the program
    """One value that no due instant can be computed from; the text says where and why."""


@dataclass(frozen=True)
class Question:
    """What `cpor due` is asked: one row of the file."""

    opened_at: datetime
    days: int
    unit: Unit
    calendar: BusinessCalendar

    @classmethod
    def parse(cls, cells: Mapping[str, str]) -> Self:
        """Read a row's texts; an empty time zone is UTC, an empty country means no holidays."""
        time_zone = cells["time_zone"] or "UTC"
        country = cells["holiday_country"] or None
        _cell("time_zone", lambda: BusinessCalendar(time_zone))
        return cls(
            opened_at=_cell("opened_at", lambda: _aware(cells["opened_at"])),
            days=_cell("days", lambda: _whole(cells["days"])),
            unit=_cell("unit", lambda: _unit(cells["unit"])),
            calendar=_cell("holiday_country", lambda: BusinessCalendar(time_zone, country)),
        )

    def answer(self) -> Due:
        """The due instant; a period that the calendar refuses is the fault of `days`."""
        return _cell("days", lambda: self.calendar.due(self.opened_at, self.days, self.unit))


def register(app: typer.Typer) -> None:
    """Add `cpor due` to the command line."""
    app.command("due")(due)


def due(
    opened_at: Annotated[
        str | None, typer.Argument(help="When the period begins, e.g. 2021-05-17T15:00:00Z.")
    ] = None,
    days: Annotated[str | None, typer.Argument(help="How many days; day 0 does not count.")] = None,
    unit: Annotated[str | None, typer.Argument(help="business or calendar.")] = None,
    *,
    time_zone: Annotated[
        str | None, typer.Option(help="IANA time zone of the programme; UTC when left out.")
    ] = None,
    holidays: Annotated[
        str | None, typer.Option(help="ISO code of the country whose holidays count, e.g. TR.")
    ] = None,
    as_json: Json = False,
    csv_file: Annotated[
        typer.FileText | None,
        typer.Option(
            "--csv",
            encoding="utf-8-sig",
            help=f"Compute every row of a file, or of standard input (-): {', '.join(COLUMNS)}.",
        ),
    ] = None,
) -> None:
    """Tell when a period of days is due, and which days it skips and why."""
    given = (opened_at, days, unit, time_zone, holidays)
    try:
        if csv_file is None:
            question = Question.parse(_cells(*given))
            (_print_json if as_json else _print_table)(question, question.answer())
        else:
            _require_nothing_else((*given, as_json))
            typer.echo(answer_rows(csv_file), nl=False)
    except Unreadable as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from fault


def _cells(
    opened_at: str | None,
    days: str | None,
    unit: str | None,
    time_zone: str | None,
    holidays: str | None,
) -> dict[str, str]:
    if opened_at is None or days is None or unit is None:
        raise Unreadable("opened_at, days and unit are needed, or --csv with a file")
    values = (opened_at, days, unit, time_zone or "", holidays or "")
    return dict(zip(COLUMNS, values, strict=True))


def _require_nothing_else(given: Sequence[object]) -> None:
    if any(given):
        raise Unreadable("--csv stands alone: each row names its own instant and calendar")


def answer_rows(source: TextIO) -> str:
    """The same CSV with `due_at`, or Unreadable.

    It names the first wrong row, counted as a spreadsheet does (the header is row 1), and column.
    """
    rows = csv.DictReader(source, strict=True)
    answered = StringIO()
    try:
        columns = _columns(rows)
        writer = csv.DictWriter(answered, dict.fromkeys((*columns, "due_at")), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_answers(rows, len(columns)))
    except csv.Error as error:
        raise Unreadable(f"row {rows.line_num + 1} is not readable as CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file is not UTF-8 text: {error.reason}") from error
    return answered.getvalue()


def _columns(rows: "csv.DictReader[str]") -> list[str]:
    columns = list(rows.fieldnames or ())
    if missing := [column for column in COLUMNS if column not in columns]:
        raise Unreadable(f"row 1: no column {', '.join(missing)}")
    if len(set(columns)) < len(columns):
        raise Unreadable("row 1: a column stands twice")
    return columns


def _answers(rows: "csv.DictReader[str]", width: int) -> Iterator[dict[str, str]]:
    for row in rows:
        if None in row or None in row.values():
            raise Unreadable(f"row {rows.line_num}: {width} columns are needed")
        try:
            yield row | {"due_at": _rfc3339(Question.parse(row).answer().due_at)}
        except Unreadable as fault:
            raise Unreadable(f"row {rows.line_num}, column {fault}") from fault


def _cell(column: str, read: Callable[[], _Value]) -> _Value:
    try:
        return read()
    except ValueError as error:
        raise Unreadable(f"{column}: {error}") from error


def _aware(text: str) -> datetime:
    example = "an instant like 2021-05-17T15:00:00Z is needed"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no date and time: {example}") from error
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone offset: {example}")
    return instant


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no whole number") from error


def _unit(text: str) -> Unit:
    try:
        return Unit(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither {' nor '.join(Unit)}") from error


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _print_json(question: Question, answer: Due) -> None:
    result = {
        "opened_at": _rfc3339(question.opened_at),
        "days": question.days,
        "unit": question.unit,
        "time_zone": question.calendar.time_zone,
        "holiday_country": question.calendar.holiday_country,
        "due_at": _rfc3339(answer.due_at),
        "due_soon_at": _rfc3339(answer.due_soon_at),
        "skipped": [skipped.model_dump(mode="json") for skipped in answer.skipped],
        "calendar_version": calendar_version(),
    }
    typer.echo(json.dumps(result, ensure_ascii=False, indent=2))


def _print_table(question: Question, answer: Due) -> None:
    calendar = question.calendar
    title = f"{question.days} {question.unit} days from {_rfc3339(question.opened_at)}"
    console = Console()
    console.print(f"Due at [bold]{_rfc3339(answer.due_at)}[/bold]")
    where = f"{calendar.time_zone}, holidays: {calendar.holiday_country or 'none'}"
    console.print(f"{title}, {where}", soft_wrap=True)
    if answer.skipped:
        table = Table("Skipped", "Day", "Why")
        for skipped in answer.skipped:
            table.add_row(skipped.date.isoformat(), f"{skipped.date:%A}", skipped.why)
        console.print(table)

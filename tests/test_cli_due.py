"""`cpor due`, as a user types it."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cli.due import register

EXAMPLES = Path(__file__).parent / "acceptance" / "deadlines.csv"
HEADER = "opened_at,days,unit,time_zone,holiday_country"

app = typer.Typer()
register(app)
runner = CliRunner()


@pytest.mark.rule("R16")
def test_the_due_instant_and_the_skipped_days_are_shown() -> None:
    """For people: the instant first, then each skipped day and why."""
    asked = "2021-05-26T08:00:00Z 5 business --time-zone America/New_York --holidays US"

    result = runner.invoke(app, asked)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Due at 2021-06-04T04:00:00Z"
    assert "5 business days from 2021-05-26T08:00:00Z, America/New_York, holidays: US" in (
        result.stdout
    )
    assert "2021-05-31" in result.stdout
    assert "Memorial Day" in result.stdout


@pytest.mark.rule("R17")
def test_the_default_calendar_is_utc_without_holidays() -> None:
    """Without options only weekends are skipped, and no table is shown for none."""
    result = runner.invoke(app, ["2021-05-17T15:00:00+02:00", "7", "calendar"])

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Due at 2021-05-25T00:00:00Z",
        "7 calendar days from 2021-05-17T13:00:00Z, UTC, holidays: none",
    ]


def test_json_tells_the_same() -> None:
    """For programs: every part, instants in UTC."""
    asked = "2021-05-18T08:00:00Z 2 business --time-zone Europe/Istanbul --holidays TR --json"

    answer = json.loads(runner.invoke(app, asked).stdout)

    assert answer.pop("calendar_version").startswith("holidays ")
    assert answer == {
        "opened_at": "2021-05-18T08:00:00Z",
        "days": 2,
        "unit": "business",
        "time_zone": "Europe/Istanbul",
        "holiday_country": "TR",
        "due_at": "2021-05-21T21:00:00Z",
        "due_soon_at": "2021-05-20T21:00:00Z",
        "skipped": [
            {"date": "2021-05-19", "why": "Commemoration of Atatürk, Youth and Sports Day"}
        ],
    }


@pytest.mark.rule("R16")
def test_a_file_comes_back_with_due_instants() -> None:
    """The worked examples, computed from a file and from standard input, byte for byte."""
    agreed = EXAMPLES.read_text("utf-8")
    asked = "".join(line.rpartition(",")[0] + "\n" for line in agreed.splitlines())

    assert runner.invoke(app, ["--csv", str(EXAMPLES)]).stdout == agreed
    assert runner.invoke(app, ["--csv", "-"], input=asked).stdout == agreed


def test_further_columns_and_empty_calendars_are_kept() -> None:
    """A spreadsheet may have its own columns, a byte order mark, and nothing but weekends."""
    text = f"\ufeffid,{HEADER}\r\n7,2021-05-17T15:00:00Z,5,business,,\r\n"

    result = runner.invoke(app, ["--csv", "-"], input=text.encode())

    assert result.exit_code == 0
    assert list(csv.DictReader(StringIO(result.stdout))) == [
        {
            "id": "7",
            "opened_at": "2021-05-17T15:00:00Z",
            "days": "5",
            "unit": "business",
            "time_zone": "",
            "holiday_country": "",
            "due_at": "2021-05-25T00:00:00Z",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("2021-05-17T15:00:00 5 business", "opened_at: '2021-05-17T15:00:00' has no time zone"),
        ("yesterday 5 business", "opened_at: 'yesterday' is no date and time"),
        ("2021-05-17T15:00:00Z five business", "days: 'five' is no whole number"),
        ("2021-05-17T15:00:00Z 0 business", "days: 0 days: a period has 1 to"),
        ("2021-05-17T15:00:00Z 5 working", "unit: 'working' is neither business nor calendar"),
        ("2021-05-17T15:00:00Z 5 business --time-zone Mars", "time_zone: unknown time zone 'Mars'"),
        ("2021-05-17T15:00:00Z 5 business --holidays XX", "holiday_country: unknown holiday"),
        ("9999-12-31T15:00:00Z 5 business", "days: 5 days after 9999-12-31"),
        ("2021-05-17T15:00:00Z 5", "opened_at, days and unit are needed"),
        ("2021-05-17T15:00:00Z 5 business --csv -", "--csv stands alone"),
        ("--holidays TR --csv -", "--csv stands alone"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: str, sentence: str) -> None:
    """The sentence goes to standard error, with exit code 2 and no traceback."""
    result = runner.invoke(app, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2021-05-17T15:00:00,5,business,UTC,", "row 3, column opened_at: '2021-05-17T15:00:00'"),
        ("2021-05-17T15:00:00Z,five,business,UTC,", "row 3, column days: 'five' is no whole"),
        ("2021-05-17T15:00:00Z,99999,business,UTC,", "row 3, column days: 99999 days"),
        ("2021-05-17T15:00:00Z,5,Business,UTC,", "row 3, column unit: 'Business' is neither"),
        ("2021-05-17T15:00:00Z,5,business,Mars,", "row 3, column time_zone: unknown time zone"),
        ("2021-05-17T15:00:00Z,5,business,UTC,ZZ", "row 3, column holiday_country: unknown"),
        ("2021-05-17T15:00:00Z,5,business,UTC", "row 3: 5 columns are needed"),
        ("2021-05-17T15:00:00Z,5,business,UTC,,,", "row 3: 5 columns are needed"),
        ('"2021-05-17T15:00:00Z,5', "row 3 is not readable as CSV"),
    ],
)
def test_a_bad_row_gets_one_sentence(row: str, sentence: str) -> None:
    """Row and column are named, nothing is printed of the rows before."""
    good = "2021-05-17T15:00:00Z,5,business,UTC,"

    result = runner.invoke(app, ["--csv", "-"], input=f"{HEADER}\n{good}\n{row}\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "row 1: no column opened_at, days, unit, time_zone, holiday_country"),
        (b"opened_at,days,units\n", "row 1: no column unit, time_zone, holiday_country"),
        (HEADER.encode() + b",days\n", "row 1: a column stands twice"),
        (HEADER.encode() + b"\n\xff\xfe\n", "the file is not UTF-8 text: invalid start byte"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    """A file that is no such table is told apart from a wrong row."""
    file = tmp_path / "rows.csv"
    file.write_bytes(content)

    result = runner.invoke(app, ["--csv", str(file)])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


def test_a_missing_file_is_named() -> None:
    """The command line's own check says so, with the same exit code."""
    result = runner.invoke(app, ["--csv", "no-such-file.csv"])

    assert result.exit_code == 2
    assert "no-such-file.csv" in result.stderr

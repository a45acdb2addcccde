"""Views as files for spreadsheets: what is in them, for whom, and how a program reads them."""

import csv
from collections.abc import AsyncGenerator
from io import BytesIO, StringIO
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
import pytest_asyncio
from openpyxl import load_workbook

from services.web.page import export
from services.web.page.export import plain
from tests.web.conftest import Site
from tests.web.listed import JONAS, drafted, submitted

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORMULA = "=1+1"
IDS = [str(uuid5(NAMESPACE_URL, f"export {number}")) for number in range(4)]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _claims(site: Site) -> AsyncGenerator[None]:
    await submitted(site, IDS[0], name="İlk talep", products=["teams", "exchange"])
    await drafted(site, IDS[1], name=FORMULA)
    await drafted(site, IDS[2], name="@SUM(A1)")
    await drafted(site, IDS[3], by=JONAS, name="Unmistakable")
    yield


async def as_csv(browser: httpx.AsyncClient, query: str = "") -> list[dict[str, str]]:
    """The lines of a view's CSV by the columns' names."""
    response = await browser.get(f"/claims.csv{query}")
    assert response.status_code == 200, response.text
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"), newline="")))


async def as_sheet(browser: httpx.AsyncClient, query: str = "") -> Any:  # noqa: ANN401 - a sheet
    """The only sheet of a view's workbook."""
    response = await browser.get(f"/claims.xlsx{query}")
    assert response.status_code == 200, response.text
    return load_workbook(BytesIO(response.content)).active


async def test_a_view_is_a_csv_file(site: Site) -> None:
    """All of its rows, in its order; instants are UTC's."""
    response = await (await site.signed_in("ayse")).get("/claims.csv?sort=created_at")
    lines = list(csv.reader(StringIO(response.content.decode("utf-8-sig"), newline="")))

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    name = response.headers["content-disposition"]
    assert name.startswith('attachment; filename="claims-')
    assert name.endswith('.csv"')
    assert [line[0] for line in lines] == ["Claim id", *IDS[:3]]
    assert "Organisation" not in lines[0]
    first = dict(zip(lines[0], lines[1], strict=True))
    assert (first["Name"], first["Status"], first["Documents"]) == ("İlk talep", "Submitted", "1")
    assert first["Products"] == "Microsoft Teams; Exchange Online"
    assert first["Created (UTC)"].endswith("Z")
    assert first["Due (UTC)"].endswith("T00:00:00Z")


async def test_a_view_is_a_workbook(site: Site) -> None:
    """The same rows, as texts and numbers."""
    ayse = await site.signed_in("ayse")
    ayse.cookies.set("cpor_language", "tr")
    sheet = await as_sheet(ayse, "?sort=created_at")
    rows = list(sheet.iter_rows())

    assert sheet.title == "Talepler"
    assert [row[0].value for row in rows] == ["Talep kimliği", *IDS[:3]]
    headers = [cell.value for cell in rows[0]]
    assert rows[1][headers.index("Durum")].value == "Gönderildi"
    assert rows[1][headers.index("Belgeler")].value == 1


async def test_no_cell_is_a_formula(site: Site) -> None:
    """An apostrophe stands before it in CSV; in a workbook it is a text."""
    ayse = await site.signed_in("ayse")
    names = {line["Claim id"]: line["Name"] for line in await as_csv(ayse)}
    sheet = await as_sheet(ayse, "?sort=created_at")

    assert names[IDS[1]] == f"'{FORMULA}"
    assert names[IDS[2]] == "'@SUM(A1)"
    cell = sheet["B3"]
    assert (cell.value, cell.data_type) == (FORMULA, "s")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *[(f"{sign}A1", f"'{sign}A1") for sign in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")],
        ("a=1", "a=1"),
        ("", ""),
        (-1, -1),
    ],
)
async def test_a_cell_is_plain(cell: str | int, expected: str | int) -> None:
    """Whatever sign it begins with."""
    assert plain(cell) == expected


@pytest.mark.rule("R25")
async def test_a_file_has_what_its_reader_may_see(site: Site) -> None:
    """Of the view, and no more."""
    ayse, marta = await site.signed_in("ayse"), await site.signed_in("marta")

    for query in ("?org=2340020", "?q=unmistakable"):
        assert await as_csv(ayse, query) == []
        assert (await as_sheet(ayse, query)).max_row == 1
    assert {line["Claim id"] for line in await as_csv(ayse)} == set(IDS[:3])
    [line] = await as_csv(marta)
    assert (line["Claim id"], line["Organisation"]) == (IDS[0], "1230010")
    assert [each["Claim id"] for each in await as_csv(ayse, "?status=submitted")] == [IDS[0]]


async def test_pages_within_make_one_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim once, and no more than so many."""
    monkeypatch.setattr(export, "MAX_LIMIT", 1)
    ayse = await site.signed_in("ayse")

    assert {line["Claim id"] for line in await as_csv(ayse)} == set(IDS[:3])
    monkeypatch.setattr(export, "MOST", 2)
    assert len(await as_csv(ayse)) == 2


async def test_what_is_wrong_is_told_before_the_file_begins(site: Site) -> None:
    """By a page; who is not signed in is led to the sign-in."""
    ada = await site.signed_in("ada")

    assert (await ada.get("/claims.csv?tenant_id=a")).status_code == 422
    assert (await ada.get("/claims.xlsx?colour=red")).status_code == 422
    assert (await site.browser().get("/claims.csv")).status_code == 303

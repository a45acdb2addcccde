"""Lists and counts of claims on a real board: filters, order, pages, and who sees what."""

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta
from itertools import product, zip_longest
from uuid import UUID

import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from domain.access import may_read
from domain.actor import Actor
from domain.claim import Claim, ClaimEvent, Details
from domain.event import Customer
from domain.refusal import Invalid
from domain.vocabulary import ClockName, Role, Sla, Status, Turn
from projections.board import ClaimRow, past
from projections.query import ClaimQuery, Page, Sort, list_claims, summarize
from tests.domain import examples as ex
from tests.projections.log import claim_id, interleaved, take_in, told
from tests.projections.test_board import LIVES as EVERY_LIFE

PARTNER = ex.PARTNER.actor
OTHER_PARTNER = ex.by_partner("can", org="9999").actor
REVIEWER = ex.REVIEWER.actor
AUDITOR = Actor(role=Role.AUDITOR, id="ada")
OPERATOR = Actor(role=Role.OPERATOR, id="oz")
NOW = ex.DECIDED_AT


def began(
    name: str = "Contoso collaboration",
    *,
    customer: str = "Contoso",
    domain: str = "contoso.example",
    org: str = ex.ORG,
    products: tuple[str, ...] = ("teams", "exchange"),
    subscription_ids: tuple[str, ...] = (),
) -> Claim.Created:
    """A claim by other names; its tenant is one of its own."""
    tenant = UUID(int=sum(map(ord, name + customer)))
    return ex.created(org=org, products=products, subscription_ids=subscription_ids).model_copy(
        update={
            "name": name,
            "customer": Customer(name=customer, domain=domain, tenant_id=tenant),
        }
    )


def life(first: Claim.Created, rest: Iterable[ClaimEvent]) -> tuple[ClaimEvent, ...]:
    """A claim that began in another way and went on as in the examples."""
    return (first, *list(rest)[1:])


LIVES = [
    life(began("Takım çalışması", customer="Işık Şişe A.Ş.", domain="isiksise.com.tr"), ex.EDITING),
    life(began("Yammer", products=("yammer",), subscription_ids=("sub-1", "SUB_2")), ex.SUBMITTED),
    life(began(org="9999"), ex.UNDER_REVIEW),
    life(began(org="9999", customer="Wingtip", domain="wingtip.example"), ex.ACTION_REQUIRED),
    ex.CONSENT_PENDING,
    ex.CONSENT_ELAPSED,
    ex.DISPUTABLE,
    ex.DISPUTED,
    ex.WITHDRAWN,
    (*ex.SUBMITTED, ex.review_start_overdue()),
]
HISTORIES = [told(*each, claim_id=claim_id(n)) for n, each in enumerate(LIVES, start=1)]
ROWS: dict[int, ClaimRow] = {
    n: row for n, facts in enumerate(HISTORIES, start=1) if (row := past(facts)) is not None
}
"""The rows by the claims' numbers."""


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncGenerator[AsyncConnection]:
    """A database with all those lives on its board."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await take_in(connection, interleaved(*HISTORIES))
        yield connection


async def found(
    store: AsyncConnection, *, reader: Actor = AUDITOR, now: datetime = NOW, **asked: object
) -> set[int]:
    """The numbers of the claims that a reader finds."""
    page = await list_claims(store, ClaimQuery.model_validate(asked), reader=reader, now=now)
    return numbers(page)


def numbers(page: Page) -> set[int]:
    """Which of the lives are on a page."""
    ids = [claim_id(n) for n in range(len(LIVES) + 1)]
    return {ids.index(row.claim_id) for row in page.rows}


async def test_a_row_is_read_as_it_was_folded(store: AsyncConnection) -> None:
    """Nothing is lost on the way through the table."""
    page = await list_claims(store, ClaimQuery(), reader=AUDITOR, now=NOW)

    assert {row.claim_id: row for row in page.rows} == {claim_id(n): ROWS[n] for n in ROWS}
    assert page.next is None


async def test_each_filter_finds_what_it_names(store: AsyncConnection) -> None:
    """One filter at a time; several values of one are alternatives."""
    for status in Status:
        expected = {n for n, row in ROWS.items() if row.status is status}
        assert await found(store, status=[status]) == expected
    for turn in Turn:
        expected = {n for n, row in ROWS.items() if row.whose_turn is turn}
        assert await found(store, whose_turn=[turn]) == expected
    for clock in ClockName:
        expected = {n for n, row in ROWS.items() if row.clock is clock}
        assert await found(store, clock=[clock]) == expected
    assert await found(store, clock=["consent", "dispute_window"]) == {5, 7}
    assert await found(store, clock=["dispute_window", "consent"], status=["rejected"]) == {7}
    assert await found(store, clock=["consent"], whose_turn=["reviewer"]) == set()
    assert await found(store, status=["editing", "approved"]) == {1, 5, 6}
    assert await found(store, org="9999") == {3, 4}
    assert await found(store, product="yammer") == {2}
    assert await found(store, product="yamme") == set()
    assert await found(store, subscription_id="SUB_2") == {2}
    assert await found(store, subscription_id="sub_2") == set()
    assert await found(store, subscription_id="it's \\ no id") == set()
    tenant = ROWS[2].tenant_id
    assert await found(store, tenant_id=tenant) == {2}
    assert await found(store, due_before=ex.REVIEW_DECISION_DUE) == {2, 10}
    assert await found(store, status=["submitted"], product="yammer", q="7654") == {2}


@pytest.mark.rule("R15")
async def test_how_clocks_stand_is_filtered_and_counted_as_rows_say_it(
    store: AsyncConnection,
) -> None:
    """At any time of reading, and for every reader."""
    times = [ex.SUBMITTED_AT + timedelta(days=days) for days in (-1, 0, 1, 2, 3, 4, 8, 20, 60)]
    for now, reader in product(times, (AUDITOR, PARTNER, OTHER_PARTNER, REVIEWER)):
        summary = await summarize(store, reader=reader, now=now)
        for sla in Sla:
            expected = {
                n
                for n, row in ROWS.items()
                if row.sla(now) is sla and may_read(reader, org=row.org, status=row.status)
            }
            assert await found(store, reader=reader, now=now, sla=sla) == expected
            assert summary.sla[sla] == len(expected)


async def test_words_are_found_whatever_case_or_keyboard(store: AsyncConnection) -> None:
    """By their beginnings, all of them; signs are no words, and alone they are found nowhere."""
    finds: dict[str, set[int]] = {
        "ISIK sise": {1},
        "ışık": {1},
        "çalış tak": {1},
        "com.tr isiksise": {1},
        "siksise": set(),
        "contoso wingtip": {4},
        "contoso wingtips": set(),
        "WINGT": {4},
        "7654321": set(ROWS),
        "product:yammer teams": set(),
        **{signs: set() for signs in ("';:*&|!()<->", "!", "%", "_", '"', "\u0301", "! _")},
        "! wingtip": {4},
        **{blank: set(ROWS) for blank in ("", " ", "\t\u00a0")},
    }
    assert {text: await found(store, q=text) for text in finds} == finds


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
async def test_pages_are_the_list_in_its_order(store: AsyncConnection, limit: int) -> None:
    """Every claim once; without a due instant last, or first when descending."""
    for sort in Sort:
        assert await all_pages(store, sort, limit) == ordered(sort), sort


def ordered(sort: Sort) -> list[ClaimRow]:
    """All rows in an order."""

    def key(row: ClaimRow) -> tuple[bool, datetime, UUID]:
        instant: datetime | None = getattr(row, sort.lstrip("-"))
        return instant is None, instant or NOW, row.claim_id

    return sorted(ROWS.values(), key=key, reverse=sort.startswith("-"))


async def all_pages(
    store: AsyncConnection, sort: Sort, limit: int, **asked: object
) -> list[ClaimRow]:
    """The whole list, read page by page."""
    rows: list[ClaimRow] = []
    after = None
    while True:
        asked |= {"sort": sort, "limit": limit, "after": after}
        page = await list_claims(store, ClaimQuery.model_validate(asked), reader=AUDITOR, now=NOW)
        rows += page.rows
        after = page.next
        if after is None:
            return rows
        assert len(page.rows) == limit


@pytest.mark.parametrize("few", [0, 1, 5_000])
@pytest.mark.parametrize("piece", [1, 4, 1_000])
async def test_a_search_has_the_lists_order_and_pages(
    store: AsyncConnection, monkeypatch: pytest.MonkeyPatch, piece: int, few: int
) -> None:
    """Whether the list is gone through in pieces, or what is found is few enough to be named."""
    monkeypatch.setattr("projections.query._PIECE", piece)
    monkeypatch.setattr("projections.query._FEW", few)
    holds = {
        "coll": {n for n, row in ROWS.items() if "collaboration" in row.name},
        "wingtip": {4},
        "nowhere": set[int](),
    }
    for sort, limit, (text, held) in product(Sort, (1, 3, 50), holds.items()):
        ids = {claim_id(n) for n in held}
        expected = [row for row in ordered(sort) if row.claim_id in ids]
        assert await all_pages(store, sort, limit, q=text) == expected, (sort, limit, text)


@pytest.mark.rule("R28")
async def test_a_claim_is_on_the_list_at_every_step_of_its_life(database_url: str) -> None:
    """Also between the events of one command, which the projector may take in one by one."""
    lives = [
        told(*life, claim_id=claim_id(number))
        for number, life in enumerate(EVERY_LIFE.values(), start=100)
    ]
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        for facts in zip_longest(*lives):
            took_in = [fact for fact in facts if fact is not None]
            await take_in(connection, interleaved(took_in))
            page = await list_claims(connection, ClaimQuery(), reader=AUDITOR, now=NOW)
            assert len(page.rows) == len(lives)


async def test_claims_are_listed_among_some(store: AsyncConnection) -> None:
    """Those of them that the query finds for the reader."""
    among = [claim_id(n) for n in (2, 3, 5, 99)]

    for reader, expected in ((AUDITOR, {2, 3, 5}), (OTHER_PARTNER, {3})):
        page = await list_claims(store, ClaimQuery(), reader=reader, now=NOW, among=among)
        assert numbers(page) == expected
    query = ClaimQuery(status=(Status.SUBMITTED,))
    page = await list_claims(store, query, reader=AUDITOR, now=NOW, among=among)
    assert numbers(page) == {2}


async def test_a_cursor_that_is_none_is_refused(store: AsyncConnection) -> None:
    """Whatever somebody made up."""
    for after in ("", "x", "ÿ", "bnVsbA", "WzFd", "W1tdLFtdLFtdXQ", "WyItdXBkYXRlZF9hdCIsMSwxXQ"):
        with pytest.raises(Invalid, match="/after: is not a cursor"):
            await list_claims(store, ClaimQuery(after=after), reader=AUDITOR, now=NOW)


async def test_a_cursor_belongs_to_its_order(store: AsyncConnection) -> None:
    """It tells nothing about another one."""
    page = await list_claims(store, ClaimQuery(limit=1), reader=AUDITOR, now=NOW)

    query = ClaimQuery(sort=Sort.DUE_AT, after=page.next)
    with pytest.raises(Invalid, match="is a cursor of the order -updated_at, not of due_at"):
        await list_claims(store, query, reader=AUDITOR, now=NOW)


@pytest.mark.rule("R25")
async def test_every_reader_sees_what_the_domain_lets_it_see(store: AsyncConnection) -> None:
    """In lists, also when it asks for more, and in the summary."""
    nobodies = (ex.CUSTOMER.actor, ex.TIMER.actor)
    somebodies = (PARTNER, OTHER_PARTNER, REVIEWER, AUDITOR, OPERATOR, ex.ASSESSOR.actor)
    for reader in (*somebodies, *nobodies):
        expected = {
            n for n, row in ROWS.items() if may_read(reader, org=row.org, status=row.status)
        }
        assert await found(store, reader=reader) == expected
        assert await found(store, reader=reader, org="9999") == expected & {3, 4}
        assert await found(store, reader=reader, status=["editing"]) == expected & {1}
        summary = await summarize(store, reader=reader, now=NOW)
        for counts in (summary.status, summary.whose_turn, summary.sla):
            assert sum(counts.values()) == len(expected)


@pytest.mark.rule("R28")
async def test_the_summary_counts_what_lists_find(store: AsyncConnection) -> None:
    """Every status and turn is named, also those that no claim has."""
    summary = await summarize(store, reader=AUDITOR, now=NOW)

    for status in Status:
        assert summary.status[status] == len(await found(store, status=[status]))
    for turn in Turn:
        assert summary.whose_turn[turn] == len(await found(store, whose_turn=[turn]))


async def test_an_edited_claim_is_found_by_its_new_words_only(store: AsyncConnection) -> None:
    """The old ones are forgotten."""
    renamed = Customer(name="Wingtip", domain="wingtip.example", tenant_id=UUID(int=1))
    changes = Details(customer=renamed, products=("sharepoint",))
    facts = told(*LIVES[0], ex.edited(changes), claim_id=claim_id(1))
    await take_in(store, interleaved(facts[-1:]))

    assert await found(store, q="sise") == set()
    assert await found(store, q="wingtip") == {1, 4}
    assert await found(store, product="sharepoint") == {1}

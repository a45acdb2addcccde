"""Mails that were refused or came back: seen by operators and on the claim's page, sent again."""

import asyncio
import re
from contextlib import aclosing
from typing import Final

import pytest
import pytest_asyncio

from domain.actor import Actor
from domain.vocabulary import Role
from services.notifier import oversight
from services.notifier.oversight import Notice
from services.web import session
from services.web.session import Person
from tests.web.conftest import OPERATOR, Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.rule("R26")]

CLAIM: Final = "0f2c3d4e-0000-4000-8000-0000000000ad"
WORDS: Final = "550 5.1.1 <b>unknown</b> user"
UNDELIVERED: Final = "The customer may not know"


async def notice_of(site: Site) -> Notice:
    """The customer's notice of the approval, once it is planned."""
    async with site.app.state.backend.pool.connection() as connection:
        while True:
            for state in ("waiting", "sent", "parked"):
                for each in await oversight.notices(connection, state, limit=50):
                    if str(each.claim_id) == CLAIM and each.kind == "consent_notice":
                        return each
            await asyncio.sleep(0.05)


async def until_sent(site: Site) -> Notice:
    """The notice, once the mail server has it."""
    while (notice := await notice_of(site)).state != "sent":  # noqa: ASYNC110 - of another service
        await asyncio.sleep(0.05)
    return notice


async def message_id(site: Site) -> str:
    """Of the customer's mail."""
    async with site.app.state.backend.pool.connection() as connection:
        found = await connection.execute(
            "SELECT message FROM cpor.mailbox WHERE recipients = %s ORDER BY mail_id DESC LIMIT 1",
            [["zeynep@contoso.example"]],
        )
        ((source,),) = await found.fetchall()
    matched = re.search(rb"Message-ID: (\S+)", source)
    assert matched is not None
    return matched.group(1).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bounced(site: Site) -> Notice:
    """A customer's notice that was sent and came back."""
    await site.approved(CLAIM)
    notice = await until_sent(site)
    async with site.app.state.backend.pool.connection() as connection:
        name = await message_id(site)
        assert await oversight.bounced(connection, name, WORDS) == notice.notice_id
        assert await oversight.bounced(connection, name, WORDS) is None
        assert await oversight.bounced(connection, "<1.0@made.up>", WORDS) is None
    return await notice_of(site)


@pytest.mark.parametrize("persona", ["deniz", "olga"])
async def test_the_claim_says_that_the_customer_may_not_know(
    site: Site, bounced: Notice, persona: str
) -> None:
    """To reviewers and operators; the consent period runs on (R15d)."""
    assert bounced.state == "parked"
    async with aclosing(await site.signed_in(persona)) as browser:
        page = await browser.get(f"/claims/{CLAIM}")

    assert page.status_code == 200
    assert UNDELIVERED in page.text
    assert "550 5.1.1 &lt;b&gt;unknown&lt;/b&gt; user" in page.text


@pytest.mark.parametrize(
    ("state", "attempts", "hours", "said"),
    [
        ("waiting", 1, 0, "The customer may not know yet"),
        ("waiting", 0, 2, "The customer may not know yet"),
        ("waiting", 0, 0, ""),
        ("sent", 1, 2, ""),
    ],
)
async def test_a_notice_that_is_late_is_told_before_it_is_given_up(
    site: Site, bounced: Notice, state: str, attempts: int, hours: int, said: str
) -> None:
    """Its period runs on while the mail server is away, or refuses for now (R15d)."""
    async with site.app.state.backend.pool.connection() as connection:
        await connection.execute(
            "UPDATE cpor.notices SET state = %s, attempts = %s, next_at = now() + interval '1 d',"
            " created_at = now() - make_interval(hours => %s) WHERE notice_id = %s",
            [state, attempts, hours, bounced.notice_id],
        )
    try:
        async with aclosing(await site.signed_in("deniz")) as browser:
            page = await browser.get(f"/claims/{CLAIM}")
    finally:
        async with site.app.state.backend.pool.connection() as connection:
            await connection.execute(
                "UPDATE cpor.notices SET state = 'parked' WHERE notice_id = %s",
                [bounced.notice_id],
            )

    assert (UNDELIVERED in page.text) == bool(said)
    assert said in page.text


@pytest.mark.rule("R9")
async def test_a_customer_who_never_knew_is_not_forgotten(own_site: Site) -> None:
    """Silence has become consent all the same; whoever can should talk to the customer."""
    await own_site.approved(CLAIM)
    notice = await until_sent(own_site)
    async with own_site.app.state.backend.pool.connection() as connection:
        await connection.execute(
            "UPDATE cpor.notices SET state = 'parked' WHERE notice_id = %s", [notice.notice_id]
        )
    moved = await own_site.client.post(
        "/dev/clock", json={"advance": "P9D"}, headers={"X-Cpor-Actor": OPERATOR}
    )
    assert moved.status_code == 200, moved.text
    async with aclosing(await own_site.signed_in("deniz")) as browser:
        page = await browser.get(f"/claims/{CLAIM}")

    assert "The customer may not have known" in page.text
    assert "please talk to the customer" in page.text


async def test_the_partner_does_not_hear_of_the_customers_mail(site: Site, bounced: Notice) -> None:
    """It could do nothing about it, and what other servers say is not for it."""
    assert bounced.state == "parked"
    person = Person("Ayşe", Actor(role=Role.INCENTIVES_ADMIN, org="1234567", id="ayse"))
    async with site.app.state.backend.pool.connection() as connection:
        token = await session.begin(connection, person)
    async with site.browser() as browser:
        browser.cookies.set(session.COOKIE, token)
        page = await browser.get(f"/claims/{CLAIM}")

    assert page.status_code == 200
    assert UNDELIVERED not in page.text
    assert "550 5.1.1" not in page.text


async def test_only_operators_see_outgoing_mails(site: Site, bounced: Notice) -> None:
    """What was refused, with the words of whoever refused it."""
    async with aclosing(await site.signed_in("deniz")) as browser:
        refused = await browser.get("/operations/mails")
        not_sent = await browser.post(f"/operations/mails/{bounced.notice_id}/again")
    async with aclosing(await site.signed_in("olga")) as browser:
        page = await browser.get("/operations/mails")

    assert refused.status_code == not_sent.status_code == 403
    assert page.status_code == 200
    assert f'href="/claims/{CLAIM}"' in page.text
    assert "bounced: 550 5.1.1 &lt;b&gt;unknown&lt;/b&gt; user" in page.text


async def test_an_operator_has_it_sent_again(site: Site, bounced: Notice) -> None:
    """Once: what is not parked any more stays as it is. The claim's page is as before then."""
    again = f"/operations/mails/{bounced.notice_id}/again"
    async with aclosing(await site.signed_in("olga")) as browser:
        first = await browser.post(again)
        sent = await until_sent(site)
        second = await browser.post(again)
        page = await browser.get(f"/claims/{CLAIM}")

    assert first.headers["location"] == "/operations/mails?again=1"
    assert second.headers["location"] == "/operations/mails?again=0"
    assert sent.notice_id == bounced.notice_id
    assert UNDELIVERED not in page.text

"""Webhooks on real servers: in order, again until they are taken, and each for itself."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domain.claim import ClaimEvent
from services import webhook
from services.notifier import webhook as telling
from services.notifier.webhook import FIRST_AGAIN, GIVE_UP, LONGEST_AGAIN, Webhooks
from services.settings import Settings
from services.webhook import Added, State, Webhook
from tests.domain.examples import (
    CLAIM_ID,
    ORG,
    REVIEW_START_DUE,
    SUBMITTED,
    UNDER_REVIEW,
    by_partner,
    commented,
    created,
    poe_attached,
    submitted,
)
from tests.webhooks.log import Log, open_log
from tests.webhooks.receiver import Receiver, is_genuine, receiver

OTHER_ORG = "7654321"
OTHER_CLAIM = UUID("c1a10000-0000-4000-8000-000000000002")
OTHERS: tuple[ClaimEvent, ...] = (
    created(org=OTHER_ORG, cause=by_partner("john", org=OTHER_ORG)),
    poe_attached(cause=by_partner("john", org=OTHER_ORG)),
)
DUE_SOON = REVIEW_START_DUE - timedelta(hours=1)


class Site:
    """A database with a log, and receivers upstream."""

    def __init__(self, settings: Settings, log: Log, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.log = log
        self._stack = stack

    async def receiver(self, **tls: str) -> Receiver:
        """A receiver for the length of the test."""
        return await self._stack.enter_async_context(receiver(**tls))

    async def add(self, to: Receiver, org: str | None = None, events: Sequence[str] = ()) -> Added:
        """Have a receiver told from now on."""
        return await webhook.add(self.log.store, to.url, org, events)

    async def find(self, added: Added) -> Webhook:
        """How it goes with a webhook."""
        found = await webhook.find(self.log.store, added.webhook_id)
        assert found is not None
        return found

    async def until(self, added: Added, holds: Callable[[Webhook], bool]) -> Webhook:
        """Wait until that holds of a webhook."""
        async with asyncio.timeout(60):
            while not holds(  # noqa: ASYNC110 - the database tells nobody
                found := await self.find(added)
            ):
                await asyncio.sleep(0.02)
        return found

    async def until_told(self, added: Added) -> Webhook:
        """Wait until a webhook has been told all that was heard of."""
        return await self.until(added, lambda it: it.behind == 0)

    async def until_parked(self, added: Added) -> Webhook:
        """Wait until a webhook is parked."""
        return await self.until(added, lambda it: it.parked)

    async def let_have_failed(self, added: Added, attempts: int, since: timedelta | None) -> None:
        """Let a webhook have failed so often, for so long."""
        await self.log.store.execute(
            "UPDATE cpor.webhooks SET attempts = %s, failing_since = now() - %s::interval"
            " WHERE webhook_id = %s",
            [attempts, since, added.webhook_id],
        )

    @asynccontextmanager
    async def telling(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[None]:
        """Webhooks are told for the length of the block."""
        stopping = asyncio.Event()
        running = asyncio.create_task(Webhooks(self.settings, tls=tls).run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await running


@pytest.fixture
async def site(database_url: str) -> AsyncGenerator[Site]:
    """An empty site."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_log(database_url))
        yield Site(Settings(database_url=database_url), log, stack)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again almost at once."""
    monkeypatch.setattr(telling, "FIRST_AGAIN", timedelta(milliseconds=20))


def ids(*versions: int, claim_id: UUID = CLAIM_ID) -> list[str]:
    """What a claim's events are known by."""
    return [f"{claim_id}-{version}" for version in versions]


async def test_events_are_told_signed_and_in_order(site: Site) -> None:
    """Those that happened before the webhook was made are not."""
    await site.log.happen(created())
    upstream = await site.receiver()
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*UNDER_REVIEW[1:])
        told = await site.until_told(added)

    assert upstream.ids == ids(2, 3, 4)
    assert (told.state, told.words) == (State.RUNNING, "")
    for request in upstream.requests:
        assert request.path == "/cpor"
        assert request.headers["content-type"] == "application/cloudevents+json"
        assert request.message_id == request.event["id"]
        assert is_genuine(request, added.secret)
        assert not is_genuine(request, "whsec_" + "A" * 43 + "=")


async def test_a_page_is_followed_by_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the connection is used again."""
    monkeypatch.setattr(telling, "PAGE", 2)
    upstream = await site.receiver()
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*UNDER_REVIEW, *(commented() for _ in range(5)))
        await site.until_told(added)

    assert upstream.ids == ids(*range(1, 10))


@pytest.mark.usefixtures("_soon")
async def test_what_is_not_taken_is_told_again_before_what_comes_after(site: Site) -> None:
    """Under the same id and with the same body; and seen by operators meanwhile."""
    upstream = await site.receiver()
    upstream.status = 503
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        failing = await site.until(added, lambda it: it.attempts > 2)
        assert failing.state is State.FAILING
        assert failing.words == "HTTP 503 Service Unavailable"
        assert failing.failing_since is not None
        upstream.status = 200
        told = await site.until_told(added)

    first = [request for request in upstream.requests if request.message_id in ids(1)]
    assert len(first) > 3
    assert upstream.ids == [*ids(1) * len(first), *ids(2, 3)]
    assert len({request.body for request in first}) == 1
    assert (told.state, told.attempts, told.failing_since) == (State.RUNNING, 0, None)


@pytest.mark.parametrize("attempts", [0, 1, 5, 40])
async def test_waits_grow_and_differ(site: Site, attempts: int) -> None:
    """Twice as long each time, up to an hour; shortened by up to a half."""
    upstream = await site.receiver()
    upstream.status = 500
    added = await site.add(upstream)
    await site.let_have_failed(added, attempts, None)
    async with site.telling():
        await site.log.happen(created())
        failed = await site.until(added, lambda it: it.attempts == attempts + 1)

    longest = min(FIRST_AGAIN * 2**attempts, LONGEST_AGAIN)
    assert failed.failing_since is not None
    assert longest / 2 <= failed.next_at - failed.failing_since <= longest


async def test_a_webhook_that_fails_for_days_is_parked_and_resumed(site: Site) -> None:
    """It goes on where it stood."""
    upstream = await site.receiver()
    upstream.status = 500
    added = await site.add(upstream)
    await site.let_have_failed(added, 50, GIVE_UP)
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        parked = await site.until_parked(added)
        assert (parked.state, parked.behind) == (State.PARKED, 3)
        upstream.status = 200
        await webhook.resume(site.log.store, added.webhook_id)
        told = await site.until_told(added)

    assert upstream.ids == ids(1, 1, 2, 3)
    assert (told.state, told.words) == (State.RUNNING, "")


async def test_gone_is_parked_at_once(site: Site) -> None:
    """The receiver has said that it wants no more; a restart asks it no more."""
    upstream = await site.receiver()
    upstream.status = 410
    added = await site.add(upstream)
    other = await site.receiver()
    watch = await site.add(other)
    async with site.telling():
        await site.log.happen(created())
        parked = await site.until_parked(added)
    async with site.telling():
        await site.log.happen(poe_attached())
        await site.until_told(watch)

    assert upstream.ids == ids(1)
    assert parked.words == "HTTP 410 Gone"
    assert other.ids == ids(1, 2)


async def test_redirects_are_not_followed(site: Site) -> None:
    """Nobody but whom the operator named is told."""
    elsewhere = await site.receiver()
    upstream = await site.receiver()
    upstream.status, upstream.headers = 307, {"location": elsewhere.url}
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(created())
        failing = await site.until(added, lambda it: it.attempts == 1)

    assert failing.words == "HTTP 307 Temporary Redirect"
    assert not elsewhere.requests


async def test_an_answer_without_end_is_not_read_to_its_end(site: Site) -> None:
    """What it says before counts."""
    upstream = await site.receiver()
    upstream.status, upstream.is_endless = 200, True
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        await site.until_told(added)

    assert upstream.ids == ids(1, 2, 3)


async def test_who_does_not_answer_in_time_has_not_taken_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told again later."""
    monkeypatch.setattr(telling, "TIMEOUT", 0.2)
    upstream = await site.receiver()
    upstream.open.clear()
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(created())
        failing = await site.until(added, lambda it: it.attempts == 1)

    assert failing.words == "no answer within 0.2 seconds"
    assert failing.position == 0


async def test_slow_and_dead_receivers_hold_nobody_up(site: Site) -> None:
    """Others are told everything while they have not even taken the first event."""
    slow, quick = await site.receiver(), await site.receiver()
    slow.open.clear()
    async with receiver() as gone:
        dead = await site.add(gone)
    waiting = [await site.add(slow) for _ in range(2 * telling.CONNECTIONS)]
    added = await site.add(quick)
    async with site.telling():
        await site.log.happen(*UNDER_REVIEW)
        await slow.until(len(waiting))
        await site.until_told(added)
        failing = await site.until(dead, lambda it: it.attempts > 0)
        assert len(slow.requests) == len(waiting)
        slow.open.set()
        for each in waiting:
            await site.until_told(each)

    assert quick.ids == ids(1, 2, 3, 4)
    assert "connection" in failing.words.lower()


async def test_each_organisation_is_told_of_its_own_claims(site: Site) -> None:
    """The vendor of all; nobody lags behind for what is not for them."""
    ours, theirs, vendors = [await site.receiver() for _ in range(3)]
    added = [
        await site.add(ours, ORG),
        await site.add(theirs, OTHER_ORG),
        await site.add(vendors),
    ]
    async with site.telling():
        await site.log.happen(created(), poe_attached())
        await site.log.happen(*OTHERS, claim_id=OTHER_CLAIM)
        await site.log.happen(submitted(), commented("Between us.", internal=True))
        for each in added:
            await site.until_told(each)

    assert ours.ids == ids(1, 2, 3)
    assert theirs.ids == ids(1, 2, claim_id=OTHER_CLAIM)
    assert vendors.ids == [*ids(1, 2), *ids(1, 2, claim_id=OTHER_CLAIM), *ids(3, 4)]


@pytest.mark.rule("R26")
async def test_a_target_that_is_due_soon_has_its_place_among_events(site: Site) -> None:
    """After what happened before and before what comes after, also when all is told again."""
    vendors, partners = await site.receiver(), await site.receiver()
    added, other = await site.add(vendors), await site.add(partners, ORG)
    soon = f"{CLAIM_ID}-3-target_soon"
    positions = await site.log.happen(*SUBMITTED)
    await site.log.remind(DUE_SOON)
    positions = [*positions, *await site.log.happen(commented())]
    async with site.telling():
        await vendors.until(5)
        await site.until_told(other)
        await webhook.replay(site.log.store, added.webhook_id, positions[2])
        await vendors.until(8)
        await webhook.replay(site.log.store, added.webhook_id, positions[3])
        await vendors.until(9)
        await site.until_told(added)

    assert vendors.ids == [*ids(1, 2, 3), soon, *ids(4), *ids(3), soon, *ids(4), *ids(4)]
    assert partners.ids == ids(1, 2, 3, 4)


@pytest.mark.rule("R26")
async def test_a_target_is_due_soon_while_nothing_else_happens(site: Site) -> None:
    """Whoever has been told everything is told of it, too; once."""
    upstream = await site.receiver()
    added = await site.add(upstream, events=["target_soon"])
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        await site.until_told(added)
        await site.log.remind(DUE_SOON)
        await upstream.until(1)
        await site.log.happen(commented())
        await site.until_told(added)

    assert upstream.types == ["cpor.notice.target_soon"]


async def test_events_are_told_again_from_a_position(site: Site) -> None:
    """Also those from before the webhook was made."""
    positions = await site.log.happen(*SUBMITTED)
    upstream = await site.receiver()
    added = await site.add(upstream)
    async with site.telling():
        await webhook.replay(site.log.store, added.webhook_id, positions[1])
        await site.until_told(added)

    assert upstream.ids == ids(2, 3)


@pytest.mark.parametrize("first", [1, 2, 3])
async def test_who_is_set_back_while_something_is_under_way_begins_there(
    site: Site, first: int
) -> None:
    """What was under way moves nothing past what is to be told again, be it that itself."""
    positions = await site.log.happen(*SUBMITTED)
    upstream = await site.receiver()
    added = await site.add(upstream)
    await webhook.replay(site.log.store, added.webhook_id, positions[1])
    upstream.open.clear()
    async with site.telling():
        await upstream.until(1)
        await webhook.replay(site.log.store, added.webhook_id, positions[first - 1])
        upstream.open.set()
        await site.until_told(added)

    assert upstream.ids == ids(2, *range(first, 4))


async def test_who_is_removed_is_told_nothing_any_more(site: Site) -> None:
    """Also when something is under way."""
    upstream, other = await site.receiver(), await site.receiver()
    added, watch = await site.add(upstream), await site.add(other)
    upstream.open.clear()
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        await upstream.until(1)
        await webhook.remove(site.log.store, added.webhook_id)
        upstream.open.set()
        await site.log.happen(commented())
        await site.until_told(watch)

    assert upstream.ids == ids(1)
    assert await webhook.find(site.log.store, added.webhook_id) is None


async def test_who_ends_without_an_answer_tells_it_again(site: Site) -> None:
    """Nobody knows whether it was taken: it is known by the same id."""
    upstream = await site.receiver()
    upstream.open.clear()
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        await upstream.until(1)
    upstream.open.set()
    async with site.telling():
        await site.until_told(added)

    assert upstream.ids == ids(1, 1, 2, 3)


async def test_nothing_is_told_that_the_notifier_has_not_heard_of(site: Site) -> None:
    """Until then something may be due soon that is told before."""
    upstream = await site.receiver()
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(created())
        site.log.append(poe_attached())
        await site.until_told(added)
        await site.log.happen(submitted())
        await site.until_told(added)

    assert upstream.ids == ids(1, 2, 3)


@pytest.mark.parametrize(
    ("topic", "state", "words"),
    [
        ("claim.unheard_of", None, "it can't be told: UnknownEvent"),
        ("claim.poe_attached", b'["Ayse"]', "it can't be told: TypeError"),
    ],
)
async def test_an_event_that_cant_be_told_stops_its_webhook_alone(
    site: Site, topic: str, state: bytes | None, words: str
) -> None:
    """It is tried again, for a release that can tell it; the operator sees which it is.

    Why is in the log: what an error says may name people (R30).
    """
    positions = await site.log.happen(*SUBMITTED)
    await site.log.store.execute(
        "UPDATE cpor.stored_events SET topic = %s, state = coalesce(%s::bytea, state)"
        " WHERE notification_id = %s",
        [topic, state, positions[1]],
    )
    upstream, other = await site.receiver(), await site.receiver()
    added, watch = await site.add(upstream), await site.add(other)
    await webhook.replay(site.log.store, added.webhook_id, positions[0])
    async with site.telling():
        stuck = await site.until(added, lambda it: it.attempts > 0)
        await site.log.happen(commented())
        await site.until_told(watch)

    assert upstream.ids == ids(1)
    assert (stuck.position, stuck.words) == (positions[0], words)
    assert other.ids == ids(4)


async def test_whom_nobody_vouches_for_is_told_nothing(site: Site, tmp_path: Path) -> None:
    """TLS, with the certificates that the machine trusts."""
    certificate, key = _certificate(tmp_path)
    upstream = await site.receiver(ssl_certfile=certificate, ssl_keyfile=key)
    added = await site.add(upstream)
    async with site.telling():
        await site.log.happen(*SUBMITTED)
        failing = await site.until(added, lambda it: it.attempts > 0)
    assert "CERTIFICATE_VERIFY_FAILED" in failing.words
    assert not upstream.requests

    await webhook.resume(site.log.store, added.webhook_id)
    async with site.telling(ssl.create_default_context(cafile=certificate)):
        await site.until_told(added)
    assert upstream.ids == ids(1, 2, 3)


def _certificate(folder: Path) -> tuple[str, str]:
    """Files of a certificate for this machine that only itself vouches for, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver of the tests")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(certificate_file), str(key_file)

"""The token of the customer's link, and the keys that it is signed with."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from services import consent_key
from services.consent_token import SHOWN_FOR, ConsentLink, address, read, sign
from services.language.translation import Language
from tests.cli import run

CLAIM = UUID("7d7019ef-5bc7-5a39-a1c9-d1e65f28b768")
DUE = datetime(2031, 3, 14, tzinfo=UTC)
LINK = ConsentLink.of(CLAIM, 7, DUE)
KEYS = {1: b"a" * 32, 2: b"b" * 32}
TOKEN = sign(LINK, KEYS)


def test_a_token_says_what_it_is_about() -> None:
    """Claim, approval and end, as an address of letters that need no escaping."""
    assert read(TOKEN, KEYS, DUE) == LINK
    assert len(TOKEN) == 64
    where = address("https://cpor.example", TOKEN, Language.TURKISH)
    assert where == f"https://cpor.example/consent/{TOKEN}?language=tr"


def test_the_newest_key_signs_and_older_ones_are_still_known() -> None:
    """Rotating kills no link; removing a key kills its links alone."""
    older = sign(LINK, {1: KEYS[1]})

    assert read(older, KEYS, DUE) == LINK
    assert read(older, {2: KEYS[2]}, DUE) is None
    assert read(TOKEN, {2: KEYS[2]}, DUE) == LINK
    assert read(TOKEN, {1: KEYS[1]}, DUE) is None


def test_a_token_ends() -> None:
    """It outlives the consent period, to show what was recorded, and no longer."""
    last = DUE + SHOWN_FOR

    assert read(TOKEN, KEYS, last - timedelta(seconds=1)) == LINK
    assert read(TOKEN, KEYS, last) is None


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_no_letter_of_a_token_can_be_another(place: int) -> None:
    """Neither of what it says nor of its signature."""
    for letter in "Az09-_":
        if letter != TOKEN[place]:
            changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
            assert read(changed, KEYS, DUE) is None


@pytest.mark.parametrize(
    "text",
    ["", "A", "A" * 64, TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", f" {TOKEN}", "ı" * 64],
)
def test_what_is_no_token_is_about_nothing(text: str) -> None:
    """Whatever somebody asks for."""
    assert read(text, KEYS, DUE) is None


def test_a_signature_for_another_purpose_is_none() -> None:
    """The same key, the same facts, and other words before them."""
    facts = base64.urlsafe_b64decode(TOKEN)[:32]
    for purpose in (b"", b"cpor: something else\0"):
        tag = hmac.digest(KEYS[2], purpose + facts, sha256)[:16]
        assert read(base64.urlsafe_b64encode(facts + tag).decode(), KEYS, DUE) is None


async def test_keys_rotate(database_url: str) -> None:
    """The first is made by whoever needs it; numbers are given once."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        first = await consent_key.known_keys(connection)
        assert await consent_key.known_keys(connection) == first
        assert await consent_key.rotate(connection) == 2
        both = await consent_key.known_keys(connection)
        assert both == {**first, 2: both[2]}
        assert first[1] != both[2]

        with pytest.raises(consent_key.KeyNotRemoved, match="rotate first"):
            await consent_key.remove(connection, 2)
        with pytest.raises(consent_key.KeyNotRemoved, match="no key 3"):
            await consent_key.remove(connection, 3)
        await consent_key.remove(connection, 1)

        assert await consent_key.known_keys(connection) == {2: both[2]}


async def test_an_operator_rotates_keys(database_url: str) -> None:
    """On the command line; what can't be done is one sentence."""
    variables = {"CPOR_DATABASE_URL": database_url}

    rotated = await run(variables, "consent-keys", "rotate", "--json")
    listed = await run(variables, "consent-keys", "list")
    refused = await run(variables, "consent-keys", "remove", "2")
    removed = await run(variables, "consent-keys", "remove", "1")
    left = await run(variables, "consent-keys", "list", "--json")

    assert json.loads(rotated.out) == {"signing": 2}
    assert listed.out == "1\n2 signs new links\n"
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "Key 2 signs new links: rotate first, then remove it.\n"
    assert removed.out == "Key 1 is removed, and every link that it signed is dead.\n"
    assert json.loads(left.out) == {"keys": [2], "signing": 2}


async def test_an_operator_learns_that_there_is_no_database() -> None:
    """One sentence, and an exit code of its own."""
    variables = {"CPOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/cpor"}

    ended = await run(variables, "consent-keys", "list")

    assert ended.code == 3
    assert ended.err.startswith("The database can't be reached: ")

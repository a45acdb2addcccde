"""Messages that were given up: kept, listed, shown and sent again, on a real nats-server."""

import asyncio
import base64
import json
import os
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from nats.errors import Error

from services import dead_letter
from services.connection import Connection, connect
from services.dead_letter import (
    LONGEST_REASON,
    DeadLetter,
    DeadLetterError,
    NoSuchLetterError,
    bury,
    newest,
    requeue,
    requeue_all,
)
from services.inbox import Durable, PullInbox
from services.message import Message
from services.streams import CLAIMS_CONSUMER, COMMANDS, DEAD_LETTERS, prepare

SUBJECT = "cpor.commands.submit_claim.6f1f6d5c-0d0e-4d55-8a39-27f9a3b1c9e1"


@pytest_asyncio.fixture
async def nats(nats_url: str) -> AsyncGenerator[Connection]:
    """A connection to a server with all streams."""
    await prepare(nats_url)
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def inbox(nats: Connection) -> AsyncGenerator[PullInbox]:
    """What the claims service reads."""
    async with PullInbox(nats, Durable(COMMANDS, CLAIMS_CONSUMER)) as inbox:
        yield inbox


async def arrived(inbox: PullInbox) -> Message:
    """The one message that arrives."""
    async with asyncio.timeout(10):
        (message,) = await inbox.take()
        return message


async def all_letters(nats: Connection) -> list[DeadLetter]:
    """Every dead letter there is."""
    return [letter async for letter in dead_letter.letters(nats)]


async def commands_left(nats: Connection) -> int:
    """Commands that are still to be handled."""
    return (await nats.js.stream_info(COMMANDS)).state.messages


async def until_no_command_is_left(nats: Connection) -> None:
    """Wait until the server, which takes answers in behind everything else, has settled all."""
    async with asyncio.timeout(20):
        while await commands_left(nats):
            pass


@pytest.mark.fault(37)
async def test_a_message_that_is_given_up_is_kept_as_it_came(
    nats: Connection, inbox: PullInbox
) -> None:
    """The letter has the bytes and says who gave up what and why; the message is gone."""
    await nats.js.publish(SUBJECT, b"\xff\xfe{not json")
    message = await arrived(inbox)

    await bury(nats, "claims", message, "not UTF-8")

    (letter,) = await all_letters(nats)
    assert letter.service == "claims"
    assert letter.subject == SUBJECT
    assert letter.reason == "not UTF-8"
    assert letter.deliveries == 1
    assert letter.data == b"\xff\xfe{not json"
    assert letter.buried_at >= message.arrived_at
    await until_no_command_is_left(nats)
    stored = await nats.js.get_msg(DEAD_LETTERS, letter.number)
    headers = cast("dict[str, str]", stored.headers)  # pyright: ignore[reportUnknownMemberType]
    assert set(headers) == {"cpor-reason", "cpor-subject", "cpor-deliveries", "Nats-Msg-Id"}


async def test_a_reason_is_one_safe_line(nats: Connection, inbox: PullInbox) -> None:
    """Line ends, control characters, surrogates and length do no harm in a header."""
    await nats.js.publish(SUBJECT, b"x")
    message = await arrived(inbox)

    await bury(nats, "claims", message, "no\r\nNats-Rollup: all\x00\ud800 — çok " + "x" * 1000)

    (letter,) = await all_letters(nats)
    assert letter.reason.startswith("no Nats-Rollup: all\\x00\\ud800 — çok xxx")
    assert len(letter.reason) == LONGEST_REASON


@pytest.mark.fault(41)
async def test_a_subject_that_is_not_utf8_stops_nobody(
    nats: Connection, inbox: PullInbox, nats_url: str
) -> None:
    """Such a message reaches us, is buried with its subject escaped, and the next one comes."""
    address = urlsplit(nats_url)
    with socket.create_connection((address.hostname, address.port or 0)) as raw:
        raw.sendall(b"CONNECT {}\r\nPUB cpor.commands.\xff.a\x01 2\r\nhi\r\nPING\r\n")
        message = await arrived(inbox)
    await bury(nats, "claims", message, "no command")
    await nats.js.publish(SUBJECT, b"{}")

    assert (await arrived(inbox)).subject == SUBJECT
    (letter,) = await all_letters(nats)
    assert letter.subject == "cpor.commands.\\udcff.a\\x01"


async def test_burying_twice_makes_one_letter(nats: Connection, inbox: PullInbox) -> None:
    """When the end of the first time was not known, the second adds nothing."""
    await nats.js.publish(SUBJECT, b"x")
    message = await arrived(inbox)

    await bury(nats, "claims", message, "poison")
    await bury(nats, "claims", message, "poison")

    assert len(await all_letters(nats)) == 1


@pytest.mark.fault(35)
async def test_without_a_letter_the_message_stays(nats: Connection, inbox: PullInbox) -> None:
    """A letter that can't be stored ends nothing: the message comes again."""
    await nats.js.publish(SUBJECT, b"x")
    message = await arrived(inbox)
    await nats.js.delete_stream(DEAD_LETTERS)

    with pytest.raises(Error):
        await bury(nats, "claims", message, "poison")

    assert await commands_left(nats) == 1
    await message.nak()
    assert (await arrived(inbox)).deliveries == 2


async def test_a_letter_is_sent_again_and_gone(nats: Connection, inbox: PullInbox) -> None:
    """The payload goes to its subject as it was; the letter is removed."""
    await nats.js.publish(SUBJECT, b'{"a": 1}')
    await bury(nats, "claims", await arrived(inbox), "a defect, mended since")
    (letter,) = await all_letters(nats)

    assert await requeue(nats, letter.number) == letter

    again = await arrived(inbox)
    assert (again.subject, again.data) == (SUBJECT, b'{"a": 1}')
    assert await all_letters(nats) == []
    with pytest.raises(NoSuchLetterError, match=f"no dead letter {letter.number}"):
        await requeue(nats, letter.number)


async def test_a_letter_that_no_stream_takes_stays(nats: Connection, inbox: PullInbox) -> None:
    """It is removed only once it is safe elsewhere."""
    await nats.js.publish(SUBJECT, b"x")
    await bury(nats, "claims", await arrived(inbox), "a defect, mended since")
    await nats.js.delete_stream(COMMANDS)
    (letter,) = await all_letters(nats)

    with pytest.raises(DeadLetterError, match=f"Dead letter {letter.number} stays"):
        await requeue(nats, letter.number)

    assert await all_letters(nats) == [letter]


async def cpor(nats_url: str, *words: str) -> tuple[int, str, str]:
    """Run these dead-letters commands; the exit code and both outputs."""
    program = (
        "import typer; from services.cli import dead_letters as d;"
        "app = typer.Typer(); d.register(app); app()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "dead-letters", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env={"PATH": os.defpath, "CPOR_NATS_URL": nats_url, "COLUMNS": "200"},
    )
    output, errors = await process.communicate()
    return await process.wait(), output.decode(), errors.decode()


async def test_the_newest_letters_come_first_however_many_are_gone(nats: Connection) -> None:
    """A page at a time, and only those that are still there."""
    for number in range(1, 13):
        await nats.js.publish("cpor.dead_letters.claims", b"%d" % number)
    for number in range(3, 10):
        await nats.js.delete_msg(DEAD_LETTERS, number)

    async def numbers(before: int | None, limit: int) -> list[int]:
        return [each.number for each in await newest(nats, before=before, limit=limit)]

    assert await numbers(None, 2) == [12, 11]
    assert await numbers(11, 2) == [10, 2]
    assert await numbers(99, 50) == [12, 11, 10, 2, 1]
    assert await numbers(1, 50) == []


async def test_letters_that_no_stream_takes_stay(nats: Connection) -> None:
    """The others are sent again, up to a number, and so many at most."""
    for subject in ("cpor.nowhere", SUBJECT, SUBJECT, SUBJECT):
        headers = {"cpor-subject": subject}
        await nats.js.publish("cpor.dead_letters.claims", b"{}", headers=headers)

    assert await requeue_all(nats, up_to=3, limit=2) == (1, 1)
    assert await requeue_all(nats, up_to=3, limit=9) == (1, 1)
    assert [each.number for each in await newest(nats, limit=9)] == [4, 1]


async def test_the_command_line_lists_shows_and_requeues(
    nats: Connection, inbox: PullInbox, nats_url: str
) -> None:
    """What an operator does with a dead letter, from a terminal or a script."""
    assert await cpor(nats_url, "list") == (0, "There are no dead letters.\n", "")
    await nats.js.publish(SUBJECT, b"\x1b[2Jhi\n\xff")
    await bury(nats, "claims", await arrived(inbox), "not JSON")
    (letter,) = await all_letters(nats)

    _, table, _ = await cpor(nats_url, "list")
    _, listed, _ = await cpor(nats_url, "list", "--json")
    _, shown, _ = await cpor(nats_url, "show", str(letter.number))
    _, shown_json, _ = await cpor(nats_url, "show", str(letter.number), "--json")

    assert SUBJECT in table
    assert "not JSON" in table
    (entry,) = json.loads(listed)
    assert entry["number"] == letter.number
    assert entry["reason"] == "not JSON"
    assert "subject: " + SUBJECT in shown
    assert shown.endswith("\\x1b[2Jhi\n\\xff\n")
    assert base64.b64decode(json.loads(shown_json)["payload_base64"]) == b"\x1b[2Jhi\n\xff"

    code, said, _ = await cpor(nats_url, "requeue", str(letter.number))
    assert (code, said) == (0, f"Dead letter 1 was sent to {SUBJECT} again.\n")
    assert await cpor(nats_url, "show", "1") == (1, "", "There is no dead letter 1.\n")


async def test_programs_are_told_which_letters_were_sent_again(
    nats: Connection, inbox: PullInbox, nats_url: str
) -> None:
    """Those before the first that can't be are gone, and named, whatever the exit code."""
    await nats.js.publish(SUBJECT, b"{}")
    await bury(nats, "claims", await arrived(inbox), "a defect, mended since")
    (letter,) = await all_letters(nats)

    code, sent, said = await cpor(nats_url, "requeue", str(letter.number), "99", "--json")

    assert (code, said) == (1, "There is no dead letter 99.\n")
    (entry,) = json.loads(sent)
    assert (entry["number"], entry["subject"]) == (letter.number, SUBJECT)
    assert await all_letters(nats) == []


async def test_lost_dead_letters_are_told_in_one_sentence(nats: Connection, nats_url: str) -> None:
    """Without its stream the command line says what the server says."""
    await nats.js.delete_stream(DEAD_LETTERS)

    code, _, said = await cpor(nats_url, "list")

    assert code == 1
    assert said == "The dead letters can't be read: stream not found.\n"

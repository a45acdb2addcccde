"""The shell of a service: its loop, its health and its end, on real servers."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
import pytest_asyncio
from nats.errors import ConnectionClosedError

from services.connection import Connection, connect
from services.embedded.nats import NatsServer
from services.health import State, ask_health
from services.runtime import Context, Shell
from services.settings import Settings


class Worker:
    """A service whose loop is what the test says."""

    name = "relay"

    def __init__(self, work: Callable[[Context], Awaitable[None]]) -> None:
        self._work = work

    async def run(self, context: Context) -> None:
        """Do it."""
        await self._work(context)


async def run_until_told(context: Context) -> None:
    """A loop that is well."""
    context.report(State.RUNNING, "")
    await context.stopping.wait()


@asynccontextmanager
async def running(
    nats_url: str, work: Callable[[Context], Awaitable[None]]
) -> AsyncGenerator[Shell]:
    """A shell around this work, until the end of the block, and then stopped in order."""
    shell = Shell(Worker(work), Settings(nats_url=nats_url))
    task = asyncio.create_task(shell.run())
    yield shell
    shell.stop()
    async with asyncio.timeout(30):
        assert await task == 0


@pytest_asyncio.fixture
async def asker(nats_url: str) -> AsyncGenerator[Connection]:
    """Somebody else on the same server."""
    connection = await connect(nats_url, "asker")
    yield connection
    await connection.close()


async def until_health(asker: Connection, state: State, name: str = "relay") -> dict[str, str]:
    """Ask until this is the answer."""
    async with asyncio.timeout(30):
        while True:
            answer: dict[str, str] = (await ask_health(asker, [name], timeout=0.2))[name]
            if answer["state"] == state:
                return answer


async def test_a_service_answers_how_it_is(nats_url: str, asker: Connection) -> None:
    """The answer names the service, its state, and since when."""
    async with running(nats_url, run_until_told):
        answer = await until_health(asker, State.RUNNING)

    assert answer["service"] == "relay"
    assert answer["detail"] == ""
    assert answer["since"].endswith("Z")


async def test_who_does_not_answer_is_absent(nats_url: str, asker: Connection) -> None:
    """All are asked at once, and each name gets an answer."""
    async with running(nats_url, run_until_told):
        await until_health(asker, State.RUNNING)

        answers = await ask_health(asker, ["relay", "timer"], timeout=1.0)

    assert answers["relay"]["state"] == State.RUNNING
    assert answers["timer"] == {
        "service": "timer",
        "state": "absent",
        "detail": "does not answer",
        "since": None,
    }


async def test_the_instance_that_is_best_off_speaks_for_its_service(
    nats_url: str, asker: Connection
) -> None:
    """A standby beside an active instance does not hide it."""

    async def stand_by(context: Context) -> None:
        context.report(State.STANDBY, "another instance is active")
        await context.stopping.wait()

    async with running(nats_url, stand_by):
        assert (await until_health(asker, State.STANDBY))["detail"] == "another instance is active"
        async with running(nats_url, run_until_told):
            await until_health(asker, State.RUNNING)
            for _ in range(20):
                answers = await ask_health(asker, ["relay"], timeout=30.0)
                assert answers["relay"]["state"] == State.RUNNING


async def test_without_nats_everybody_is_absent_at_once(
    nats_server: NatsServer, asker: Connection
) -> None:
    """Nobody waits for an answer that can't come."""
    lost = asyncio.Event()
    asker.listeners.add(lost.set)
    await nats_server.stop()
    async with asyncio.timeout(30):
        await lost.wait()

    async with asyncio.timeout(10):
        answers = await ask_health(asker, ["relay"], timeout=60.0)

    assert answers["relay"]["state"] == State.ABSENT
    assert "NATS" in answers["relay"]["detail"]


async def test_a_crashing_loop_is_run_again_and_shows(nats_url: str, asker: Connection) -> None:
    """A defect is told in the health, without a password, and tried again less and less often."""
    runs: list[float] = []

    async def crash(context: Context) -> None:
        runs.append(asyncio.get_running_loop().time())
        if len(runs) > 3:
            await run_until_told(context)
        raise ValueError("can't read\npostgresql://cpor:s3cret@db/cpor")

    async with running(nats_url, crash):
        answer = await until_health(asker, State.FAILING)
        await until_health(asker, State.RUNNING)

    assert answer["detail"] == "ValueError: can't read postgresql://cpor:***@db/cpor"
    pauses = [later - earlier for earlier, later in pairwise(runs)]
    assert all(pause >= 0.125 * 2**number for number, pause in enumerate(pauses))


async def test_a_loop_that_returns_by_itself_is_run_again(nats_url: str, asker: Connection) -> None:
    """A loop ends only when it is told to."""
    runs: list[int] = []

    async def leave(context: Context) -> None:
        runs.append(1)
        if len(runs) > 1:
            await run_until_told(context)

    async with running(nats_url, leave):
        await until_health(asker, State.RUNNING)

    assert len(runs) == 2


async def test_a_question_whose_handler_fails_is_answered(nats_url: str, asker: Connection) -> None:
    """The one who asks learns that it failed, instead of waiting for nothing."""

    async def fail() -> None:
        raise RuntimeError("no")

    shell = Shell(Worker(run_until_told), Settings(nats_url=nats_url))
    shell.broker.subscriber("cpor.health.other")(fail)
    task = asyncio.create_task(shell.run())
    await until_health(asker, State.RUNNING)

    reply = await asker.request("cpor.health.other", timeout=2)

    assert json.loads(reply.data)["state"] == "failing"
    shell.stop()
    await task


@pytest.mark.fault(73)
async def test_the_loop_finishes_what_is_under_way(nats_url: str, asker: Connection) -> None:
    """Told to stop, a service ends its batch before its connection goes."""
    sent: list[bool] = []

    async def work(context: Context) -> None:
        context.report(State.RUNNING, "")
        await context.stopping.wait()
        await asyncio.sleep(0.5)
        await context.nats.flush()
        sent.append(True)

    async with running(nats_url, work):
        await until_health(asker, State.RUNNING)

    assert sent == [True]


async def test_a_client_that_closed_for_good_ends_the_process(
    nats_url: str, asker: Connection
) -> None:
    """The supervisor gets a code other than 0, and starts the service anew."""
    shell = Shell(Worker(run_until_told), Settings(nats_url=nats_url))
    task = asyncio.create_task(shell.run())
    await until_health(asker, State.RUNNING)

    await shell.broker.link.close()

    async with asyncio.timeout(30):
        assert await task == 1
    with pytest.raises(ConnectionClosedError):
        await shell.broker.link.publish("cpor.x")


async def test_a_service_waits_for_nats_and_can_be_stopped_meanwhile(
    nats_server: NatsServer,
) -> None:
    """Started before NATS is there, it runs when NATS is; and ends when it is told to."""
    await nats_server.stop()
    shell = Shell(Worker(run_until_told), Settings(nats_url=nats_server.url))
    task = asyncio.create_task(shell.run())
    await asyncio.sleep(0.3)
    shell.stop()
    async with asyncio.timeout(30):
        assert await task == 0

    async with running(nats_server.url, run_until_told):
        await asyncio.sleep(0.3)
        await nats_server.start()
        asker = await connect(nats_server.url, "asker")
        await until_health(asker, State.RUNNING)
        await asker.close()


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("loop", "code"),
    [
        ("await context.stopping.wait()", 0),
        ("await asyncio.sleep(3600)", 0),
        ("while True: await stay()", 70),
        ("while True: pass", 70),
    ],
    ids=["in order", "cancelled", "not to be cancelled", "spinning"],
)
async def test_sigterm_ends_every_service(
    nats_url: str, asker: Connection, tmp_path: Path, loop: str, code: int
) -> None:
    """A loop that can't be stopped does not keep its process: exit code 70 within ten seconds."""
    program = tmp_path / "stubborn.py"
    program.write_text(
        dedent(
            """\
            import asyncio, sys
            from services import runtime
            from services.health import State
            from services.settings import Settings

            async def stay():
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    pass

            class Stubborn:
                name = "relay"
                async def run(self, context):
                    context.report(State.RUNNING, "")
                    await context.nats.flush()
                    await asyncio.sleep(1)
                    {loop}

            def service(settings):
                return Stubborn()

            if __name__ == "__main__":
                runtime.MODULES["relay"] = "stubborn"
                runtime.run_service("relay", Settings(nats_url=sys.argv[1]))
            """
        ).replace("{loop}", loop)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), nats_url, env={"PYTHONPATH": f"{Path.cwd()}:{tmp_path}"}
    )
    await until_health(asker, State.RUNNING)
    await asyncio.sleep(1.2)

    process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(30):
        assert await process.wait() == code

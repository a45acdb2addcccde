"""One active instance of a service, by a lock on a real PostgreSQL."""

import asyncio
from contextlib import suppress

import psycopg
import pytest

from services.health import State
from services.leadership import LeadershipLostError, Term, is_led, leadership, lock_key


class Instance:
    """An instance of a service that leads as long as it may, and tells how it goes."""

    def __init__(self, database_url: str, name: str = "relay") -> None:
        self.states: list[State] = []
        self.told = asyncio.Event()
        self.term: Term | None = None
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._lead(database_url, name))

    async def _lead(self, database_url: str, name: str) -> None:
        async with leadership(database_url, name, self._tell) as self.term:
            await self.leave.wait()

    def _tell(self, state: State, _detail: str) -> None:
        self.states.append(state)
        self.told.set()

    async def until(self, state: State) -> None:
        """Wait until this is how it is."""
        async with asyncio.timeout(10):
            while self.states[-1:] != [state]:
                self.told.clear()
                await self.told.wait()

    async def stop(self) -> None:
        """End it from outside."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def cut(database_url: str, name: str = "relay") -> int:
    """End the server's side of the connections that hold the lock of `name`; how many."""
    key = lock_key(name) & 0xFFFFFFFFFFFFFFFF
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin:
        ended = await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND granted AND classid::bigint = %s AND objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [key >> 32, key & 0xFFFFFFFF],
        )
        return ended.rowcount


@pytest.mark.fault(50)
async def test_the_second_stands_by_until_the_first_leaves(database_url: str) -> None:
    """Of two instances one leads; the other takes over when it ends."""
    first = Instance(database_url)
    await first.until(State.STARTING)
    second = Instance(database_url)
    await second.until(State.STANDBY)

    first.leave.set()
    await first.task
    await second.until(State.STARTING)

    assert first.states == [State.STARTING]
    assert second.states == [State.STANDBY, State.STARTING]
    await second.stop()


@pytest.mark.parametrize(("name", "sign"), [("notifier", -1), ("mailbox", 1)])
async def test_others_see_whether_a_service_is_led(database_url: str, name: str, sign: int) -> None:
    """Each by itself, whatever the sign of its key."""
    assert lock_key(name) * sign > 0
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        assert not await is_led(other, name)
        async with leadership(database_url, name):
            assert await is_led(other, name)
            assert not await is_led(other, "relay")


@pytest.mark.fault(20)
async def test_a_broken_connection_ends_the_term_and_the_standby_takes_over(
    database_url: str,
) -> None:
    """The work is told, then cancelled, and the lock goes to the other instance at once."""
    first = Instance(database_url)
    await first.until(State.STARTING)
    second = Instance(database_url)
    await second.until(State.STANDBY)

    assert await cut(database_url) == 1

    await second.until(State.STARTING)
    with pytest.raises(LeadershipLostError, match="lock of relay"):
        await first.task
    assert first.term
    assert first.term.lost.is_set()
    await second.stop()


async def test_work_that_ends_by_itself_when_told_is_not_cancelled(database_url: str) -> None:
    """What watches `lost` may finish what it does; the loss is raised all the same."""
    finished: list[bool] = []

    async def work() -> None:
        async with leadership(database_url, "relay") as term:
            await cut(database_url)
            await term.lost.wait()
            await asyncio.sleep(0.1)
            finished.append(True)

    with pytest.raises(LeadershipLostError):
        await work()

    assert finished


async def test_a_failure_of_the_work_reaches_the_caller_and_frees_the_lock(
    database_url: str,
) -> None:
    """Leadership adds nothing to an exception of its block."""
    with pytest.raises(ZeroDivisionError):
        async with leadership(database_url, "relay"):
            raise ZeroDivisionError

    async with asyncio.timeout(30), leadership(database_url, "relay"):
        pass


async def test_a_standby_can_be_cancelled(database_url: str) -> None:
    """Waiting for the lock ends at once when the service is told to stop, and leaves no wait."""
    async with leadership(database_url, "relay"):
        standby = Instance(database_url)
        await standby.until(State.STANDBY)

        async with asyncio.timeout(30):
            await standby.stop()

    async with asyncio.timeout(30), leadership(database_url, "relay"):
        pass


async def test_services_do_not_stand_in_each_others_way(database_url: str) -> None:
    """Every name has a lock of its own, the same on every machine."""
    async with (
        asyncio.timeout(30),
        leadership(database_url, "relay"),
        leadership(database_url, "timer"),
    ):
        pass

    assert lock_key("relay") == -7163111386082330938

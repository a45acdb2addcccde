"""How a service is, asked over NATS: each answers on `cpor.health.<service>`."""

import asyncio
import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from nats.aio.msg import Msg
from pydantic import AwareDatetime, BaseModel

from services.connection import Connection
from services.streams import health_subject


class State(StrEnum):
    """How a service is."""

    RUNNING = "running"
    STANDBY = "standby"
    """Another instance is active; this one takes over when it ends."""
    STARTING = "starting"
    FAILING = "failing"
    ABSENT = "absent"
    """Nobody answered; no service says this of itself."""


Report = Callable[[State, str], None]
"""Takes a state and a detail: a sentence, or nothing when there is nothing to say."""

_BEST_FIRST = tuple(State)


class Parts:
    """What the parts of a service say of themselves, told as one: the worst state counts.

    So a part that is well does not hide another one that isn't.
    """

    def __init__(self, report: Report, *names: str) -> None:
        self._report = report
        self._said: dict[str, tuple[State, str]] = dict.fromkeys(names, (State.STARTING, ""))

    def of(self, name: str) -> Report:
        """Where one of the parts says how it is."""

        def say(state: State, detail: str) -> None:
            self._said[name] = state, detail
            worst = max((state for state, _ in self._said.values()), key=_BEST_FIRST.index)
            self._report(worst, "; ".join(detail for _, detail in self._said.values() if detail))

        return say


class Health(BaseModel):
    """A service's answer."""

    service: str
    state: State
    detail: str
    since: AwareDatetime
    """When it came into this state."""


async def ask_health(nc: Connection, names: Iterable[str], timeout: float = 1.0) -> dict[str, Any]:
    """How each named service is, `{"service", "state", "detail", "since"}` by name.

    Asks all at once. Of several instances the one that is best off counts, so that an answer
    comes at once when all run, and after `timeout` seconds when not. A service that doesn't answer
    is `absent`.
    """
    answers = {name: _absent(name, "does not answer") for name in names}
    if not nc.is_connected:
        return {name: _absent(name, "cannot be asked: NATS is not connected") for name in answers}
    waiting = set(answers)
    done = asyncio.Event()

    async def on_answer(message: Msg) -> None:
        name = message.subject.rpartition(".")[2]
        if message.data:
            answer = json.loads(message.data)
            if _rank(answer) < _rank(answers[name]):
                answers[name] = answer
        if not message.data or answers[name]["state"] == State.RUNNING:  # no data: nobody is there
            waiting.discard(name)
        if not waiting:
            done.set()

    inbox = nc.new_inbox()
    subscription = await nc.listen(f"{inbox}.*", on_answer)
    try:
        async with asyncio.timeout(timeout):
            for name in answers:
                await nc.publish(health_subject(name), reply=f"{inbox}.{name}")
            await done.wait()
    except TimeoutError:
        pass  # what has answered by now is the answer
    finally:
        await subscription.unsubscribe()
    return answers


def _absent(name: str, detail: str) -> dict[str, Any]:
    return {"service": name, "state": State.ABSENT, "detail": detail, "since": None}


def _rank(answer: dict[str, Any]) -> int:
    return _BEST_FIRST.index(State(answer["state"]))

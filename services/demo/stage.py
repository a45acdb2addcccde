"""The running system, as the people of the demo use it: over HTTP, and for one system over NATS."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from domain.actor import Actor
from services import sender
from services.cloudevent import command_event
from services.connection import Connection
from services.demo.cast import AUDITOR, OPERATOR
from services.demo.pdf import pdf
from services.demo.script import BEGINNING

_SOURCE = "/incentive-assessment"


class StoryStopped(Exception):  # noqa: N818 - named by what happened, as the sentence it holds
    """The system did something else than the story says; the text tells what."""


class Stage:
    """The system at work. `http` asks the API, `nats` is for who sends commands without it."""

    def __init__(self, http: httpx.AsyncClient, nats: Connection) -> None:
        self._http = http
        self._nats = nats
        self._commands = 0
        self._now = BEGINNING
        self._last: UUID | None = None
        self._position = 0

    async def command(
        self, actor: Actor, claim_id: UUID, command: str, data: dict[str, Any] | None = None
    ) -> None:
        """Send a command over HTTP. Raises StoryStopped when it is refused."""
        answer = await self._call(
            "POST",
            f"/api/claims/{claim_id}/{command}",
            actor,
            headers={"Idempotency-Key": self._next_id()},
            json=data or {},
        )
        self._last, self._position = claim_id, answer["position"]

    async def report(
        self, actor: Actor, claim_id: UUID, command: str, data: dict[str, Any]
    ) -> None:
        """Send a command over NATS, as upstream systems do. Raises StoryStopped when refused."""
        command_id = self._next_id()
        body = command_event(
            claim_id=claim_id,
            command=command,
            command_id=command_id,
            data=data,
            actor=actor,
            source=_SOURCE,
            time=self._now,
        )
        try:
            outcome = await sender.send(
                self._nats, body, claim_id=claim_id, command=command, command_id=command_id
            )
        except (sender.NotStored, sender.OutcomeUnknown) as error:
            raise StoryStopped(f"{command} of claim {claim_id}: {error}.") from error
        if outcome["result"] != "accepted":
            raise StoryStopped(f"{command} of claim {claim_id}: {outcome['problem']['detail']}.")
        self._last, self._position = claim_id, outcome["position"]

    @property
    def now(self) -> datetime:
        """Where the clock was moved to last."""
        return self._now

    async def upload(self, actor: Actor, filename: str, lines: list[str]) -> dict[str, Any]:
        """Upload a document with this text: what `attach_poe` takes."""
        content = pdf(lines[0], lines[1:])
        file = (filename, content, "application/pdf")
        return await self._call("POST", "/api/documents", actor, files={"file": file})

    async def move_to(self, instant: datetime) -> int:
        """Move the simulated clock there; how many deadlines passed on the way."""
        moved = await self._call("POST", "/dev/clock", OPERATOR, json={"set": instant.isoformat()})
        self._now = instant
        passed: int = moved["passed"]
        return passed

    async def board(self) -> dict[UUID, dict[str, Any]]:
        """Every claim as the board shows it, all that happened here included."""
        claims: dict[UUID, dict[str, Any]] = {}
        after: dict[str, str] = {}
        await self._seen()
        while True:
            query = {"limit": "500", **after}
            page = await self._call("GET", "/api/claims", AUDITOR, params=query)
            claims |= {UUID(claim["claim_id"]): claim for claim in page["items"]}
            if page["next"] is None:
                return claims
            after = {"after": page["next"]}

    async def _seen(self) -> None:
        """Wait until the board has come as far as the last event that was caused here."""
        if self._last is not None:
            query = {"wait_for": str(self._position)}
            await self._call("GET", f"/api/claims/{self._last}", AUDITOR, params=query)

    async def _call(self, method: str, path: str, actor: Actor, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        """The answer's JSON. Raises StoryStopped when there is none, or it is a problem."""
        headers = {"X-Cpor-Actor": f"{actor.role};{actor.org or ''};{actor.id}"}
        headers |= request.pop("headers", {})
        try:
            response = await self._http.request(method, path, headers=headers, **request)
        except httpx.TransportError as error:
            raise StoryStopped(f"{method} {path}: no answer ({error!r}).") from error
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise StoryStopped(f"{method} {path}: {answer['title']}: {answer['detail']}.")
        return answer

    def _next_id(self) -> str:
        """Command ids in the order of the story: the same in every run."""
        self._commands += 1
        return f"demo-{self._commands:03}"

"""The demo from beginning to end: starts the system, plays the story, shows what came of it."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table
from rich.text import Text

from services.cli.api import base_url
from services.connection import connected
from services.demo.cast import Part, part
from services.demo.ending import ENDINGS, UPHELD, Ending
from services.demo.folder import begin_anew, folder
from services.demo.performance import Performance
from services.demo.script import CHAPTERS, LIVES, Deed, instant
from services.demo.stage import Stage, StoryStopped
from services.embedded import supervisor
from services.embedded.address import resolved
from services.refused import StartRefused
from services.settings import Settings

POLICY = "seed-2021"
"""The story is told under this profile, in UTC: its days are those of these periods."""

_CONNECT_PATIENCE = 5.0
_BAR = 24
_ONE_LINE = Column(no_wrap=True, overflow="ellipsis", ratio=1)
_PATIENCE = 60.0
"""Seconds for an answer; moving the clock takes until all that came due is recorded."""


def run(
    settings: Settings, console: Console, *, wait: bool = True, follow_parent: bool = False
) -> None:
    """Play the demo in a data directory of its own, then stay open until told to stop.

    Without `wait` it ends when the story does. Raises StartRefused when it can't begin,
    StoryStopped when the system did something else than the story says.
    """
    if settings.database_url or settings.nats_url:
        raise StartRefused(
            "The demo runs servers of its own and fills them with invented claims: unset "
            "CPOR_DATABASE_URL and CPOR_NATS_URL."
        )
    own = _own(settings)
    if asyncio.run(begin_anew(own.data_dir)):
        console.print(f"Beginning anew: an earlier demo's data in {own.data_dir} is gone.")

    async def story() -> None:
        await _play(own, console)
        if not wait:
            signal.raise_signal(signal.SIGTERM)

    supervisor.up(own, follow_parent=follow_parent, when_ready=story)


def _own(settings: Settings) -> Settings:
    """The settings that the story needs; what it doesn't need is as it was set."""
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "warning"}
    return settings.model_copy(
        update={
            "data_dir": folder(settings),
            "clock": "simulated",
            "policy": POLICY,
            "time_zone": None,
            "holidays": None,
            **quiet,
        }
    )


async def _play(settings: Settings, console: Console) -> None:
    address = base_url(settings)
    async with (
        httpx.AsyncClient(base_url=address, timeout=_PATIENCE, trust_env=False) as http,
        connected(resolved(settings).nats_url, "cpor demo", _CONNECT_PATIENCE) as nats,
    ):
        stage = Stage(http, nats)
        story = Story(stage)
        await story.tell(console)
        ended = story.endings(await stage.board())
    console.print(_table(ended))
    console.print(_invitation(settings, ended), highlight=False, soft_wrap=True)


class Story:
    """The lives of all claims, told day by day."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._parts: list[Part] = []
        for number, life in enumerate(LIVES):
            self._parts.append(part(number, life.predecessor(self._parts)))
        self._plan: dict[str, list[tuple[Performance, Deed]]] = {day: [] for day in CHAPTERS}
        for each, life in zip(self._parts, LIVES, strict=True):
            performance = Performance(each, life.predecessor(self._parts), stage)
            for day, deeds in life.days():
                self._plan[day] += [(performance, deed) for deed in deeds]

    async def tell(self, console: Console) -> None:
        """Play all days, with their captions. Raises StoryStopped."""
        columns = (
            SpinnerColumn(),
            BarColumn(_BAR),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False, table_column=_ONE_LINE),
        )
        total = sum(map(len, self._plan.values()))
        with Progress(*columns, console=console, transient=True, expand=True) as progress:
            task = progress.add_task("", total=total)
            for day, caption in CHAPTERS.items():
                passed = await self._stage.move_to(instant(day))
                console.print(_chapter(day, caption, passed), highlight=False)
                for performance, deed in self._plan[day]:
                    progress.update(task, description=performance.caption(deed))
                    await performance.perform(deed)
                    progress.advance(task)

    def endings(self, board: Mapping[UUID, dict[str, Any]]) -> dict[Ending, list[Part]]:
        """The claims by their endings. Raises StoryStopped when the board shows another one."""
        ended: dict[Ending, list[Part]] = {}
        for each, life in zip(self._parts, LIVES, strict=True):
            shown = life.ending.shown_by(board[each.claim_id])
            if shown != life.ending.board:
                raise StoryStopped(
                    f"Claim {each.claim_id} should end as {life.ending.title!r}, but the board"
                    f" shows {shown}."
                )
            ended.setdefault(life.ending, []).append(each)
        return ended


def _chapter(day: str, caption: str, passed: int) -> Table:
    """The day's caption, and above it what came due since the day before."""
    table = Table.grid(Column(no_wrap=True, justify="right"), "", padding=(0, 2, 0, 0))
    if passed:
        deadlines = "1 deadline passes." if passed == 1 else f"{passed} deadlines pass."
        table.add_row("until then", deadlines, style="dim")
    table.add_row(Text(f"{instant(day):%a %d %b %Y}", "cyan"), caption)
    return table


def _table(ended: Mapping[Ending, list[Part]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Where the claims ended")
    table.add_column("", justify="right")
    table.add_column("For example", no_wrap=True)
    for ending in ENDINGS:
        parts = ended[ending]
        table.add_row(ending.title, str(len(parts)), Text(str(parts[0].claim_id)))
    return table


def _invitation(settings: Settings, ended: Mapping[Ending, list[Part]]) -> Text:
    example = ended[UPHELD][-1].claim_id
    return Text.assemble(
        f"{sum(map(len, ended.values()))} claims came to {len(ended)} different endings. ",
        ("Look at them: ", "bold"),
        (settings.public_url, "bold cyan"),
        f" (the API: {settings.public_url}/docs)\n",
        "In another terminal: .venv/bin/cpor list",
        f", or .venv/bin/cpor history {example} for a long life.",
    )

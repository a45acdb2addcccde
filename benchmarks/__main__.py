"""`make bench`: everything that is measured, within one run on the same embedded servers.

`python -m benchmarks [--only NAMES] [--claims N] [--json FILE]` prints what it found. A whole run
also writes results.json, and from it docs/benchmarks.md with its chart.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import (
    broker,
    commands,
    crud,
    dashboard,
    dbos_transact,
    emmett,
    growth,
    idle,
    latency,
    library,
    notifying,
    page,
    queue,
    rebuild,
    timer,
)
from benchmarks.bench import IN_FLIGHT, Bench, Measure, Sizes
from benchmarks.lifecycle import LIFE
from benchmarks.loaded import loaded
from benchmarks.machine import describe
from benchmarks.show import show
from benchmarks.statistic import middle_round
from services import log
from services.embedded.nats import Sync
from tests.claims.orders import upload
from tests.system.rig import running

CLAIMS = 2000


class Part(NamedTuple):
    """A measurement; of several rounds, in turns with its neighbours, the middle one counts."""

    name: str
    measure: Measure
    rounds: int = 1


class Stage(NamedTuple):
    """Measurements on the same servers."""

    name: str
    sync: Sync
    parts: tuple[Part, ...]


SPEEDS = (
    Part("commands", commands.measure, 3),
    Part("broker", broker.measure, 3),
    Part("queue", queue.measure, 3),
    Part("crud", crud.measure, 3),
)
STAGES = (
    Stage("always", "always", (*SPEEDS, Part("latency", latency.measure))),
    Stage(
        "interval",
        "interval",
        (
            *SPEEDS,
            Part("library", library.measure),
            Part("dbos", dbos_transact.measure),
            Part("emmett", emmett.measure),
            Part("latency", latency.measure),
            Part("rebuild", rebuild.measure),
            Part("timer", timer.measure),
        ),
    ),
    Stage("growth", "interval", (Part("growth", growth.measure),)),
    Stage("notifications", "interval", (Part("notifying", notifying.measure),)),
    Stage("dashboard", "interval", (Part("dashboard", dashboard.measure),)),
)
ALONE = {"idle": idle.measure}
"""Measurements that start what they need themselves."""
NAMES = tuple(dict.fromkeys(part.name for stage in STAGES for part in stage.parts)) + tuple(ALONE)


async def main(only: Collection[str], sizes: Sizes) -> dict[str, Any]:
    """All that is asked for, by stage and measurement."""
    results: dict[str, Any] = {
        "claims": sizes.claims,
        "commands": len(LIFE),
        "in_flight": IN_FLIGHT,
        "load_before": round(os.getloadavg()[0], 1),
    }
    for stage in STAGES:
        parts = [part for part in stage.parts if part.name in only]
        if parts:
            machine, results[stage.name] = await _run(stage, parts, sizes)
            results["machine"] = machine
    for name, measure in ALONE.items():
        if name in only:
            _say(name)
            results[name] = {name: await measure()}
    return results


async def _run(
    stage: Stage, parts: Sequence[Part], sizes: Sizes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The machine, and what each part of a stage has found."""
    found: dict[str, list[dict[str, Any]]] = {part.name: [] for part in parts}
    with tempfile.TemporaryDirectory(prefix="cpor-bench-") as folder:
        async with running(Path(folder) / stage.name, sync=stage.sync) as system:
            await system.until_running()
            await asyncio.to_thread(upload, system.settings.database_url)
            bench = Bench(stage.name, system, sizes, found)
            await loaded(bench, sizes.claims // 2)  # to warm up
            # What takes several rounds has them one after the other; the last is everybody's.
            for turn in reversed(range(max(part.rounds for part in parts))):
                for part in parts:
                    if turn < part.rounds:
                        _say(f"{stage.name}: {part.name}")
                        found[part.name].append(await part.measure(bench))
            machine = await describe(system)
    return machine, {
        part.name: middle_round(found[part.name]) if part.rounds > 1 else found[part.name][0]
        for part in parts
    }


def _say(what: str) -> None:
    print(f"{what} …", flush=True)


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no measurement {unknown[0]}: there are {', '.join(NAMES)}"
        )
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "--only", type=_names, metavar="NAMES", help=f"some of {', '.join(NAMES)}, by commas"
    )
    parser.add_argument(
        "--claims", type=int, default=CLAIMS, help="of a loaded run; all other sizes follow"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results there, too")
    options = parser.parse_args()
    log.configure("warning")
    measured = asyncio.run(main(options.only or NAMES, Sizes(options.claims)))
    show(measured)
    written = json.dumps(measured, indent=2, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(written, "utf-8")
    if options.only is None and options.claims == CLAIMS:
        page.RESULTS.write_text(written, "utf-8")
        page.write(measured)

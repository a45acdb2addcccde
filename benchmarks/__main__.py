"""`make bench`: commands end to end against the library as it comes, on the same embedded servers.

`python -m benchmarks [--claims N] [--json FILE]` prints a table, and writes the results as JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.lifecycle import LIFE
from services import log
from services.embedded.nats import Sync
from services.settings import CHECKOUT
from tests.claims.orders import upload
from tests.system.rig import System, running

IN_FLIGHT = 200
QUIET_RATE = 200
"""Commands per second of the quiet run."""
SYNCS: tuple[Sync, ...] = ("interval", "always")


async def main(claims: int) -> dict[str, Any]:
    """All measurements of one run on this machine."""
    results: dict[str, Any] = {
        "claims": claims,
        "in_flight": IN_FLIGHT,
        "cores": psutil.cpu_count(),
    }
    with tempfile.TemporaryDirectory(prefix="cpor-bench-") as folder:
        for sync in SYNCS:
            async with running(Path(folder) / sync, sync=sync) as system:
                await system.until_running()
                await asyncio.to_thread(upload, system.settings.database_url)
                if sync == SYNCS[0]:
                    results["library"] = await _library(system, claims)
                await _measure(system, f"{sync}-warm-up", claims // 10, 0)
                full = await _measure(system, sync, claims, 0)
                results[f"cpor sync={sync}"] = full
                if sync == SYNCS[0]:
                    results["at 200/s"] = await _measure(system, "quiet", 200, QUIET_RATE)
                    half = full["rate"] / 2
                    results["at half the maximum"] = await _measure(system, "half", claims, half)
    best = max(results["library"].values())
    results["ratio to the library"] = round(results["cpor sync=interval"]["rate"] / best, 1)
    return results


async def _library(system: System, claims: int) -> dict[str, float]:
    """Changes per second of the library as it comes, by number of threads; in its own database."""
    database = "library"
    with psycopg.connect(system.settings.database_url, autocommit=True) as store:
        store.execute(f"CREATE DATABASE {database}")
    url = system.postgres.url_for(database)
    rates: dict[str, float] = json.loads(
        await _output("benchmarks.library", url, str(max(100, claims // 4)))
    )
    return {threads: round(rate, 1) for threads, rate in rates.items()}


async def _measure(system: System, name: str, claims: int, rate: float) -> dict[str, Any]:
    """One loaded run; with the CPU per command of each process."""
    before = _cpu(system)
    seen: dict[str, Any] = json.loads(
        await _output(
            "benchmarks.load",
            system.settings.nats_url,
            system.settings.database_url,
            name,
            str(claims),
            str(IN_FLIGHT),
            str(rate),
        )
    )
    after = _cpu(system)
    commands = claims * len(LIFE)
    seen["cpu_us_per_command"] = {
        process: round(1e6 * (after[process] - before.get(process, 0.0)) / commands, 1)
        for process in after
    }
    return seen


def _cpu(system: System) -> dict[str, float]:
    """Seconds of CPU that each process of the system has used, PostgreSQL's children included."""
    used: dict[str, float] = {}
    for name, pid in system.pids().items():
        process = psutil.Process(pid)
        times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
        used[name] = sum(each.user + each.system for each in times)
    return used


async def _output(module: str, *arguments: str) -> bytes:
    """What a process of ours prints; RuntimeError when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=CHECKOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} failed with exit code {process.returncode}")
    return output


def show(results: Mapping[str, Any]) -> None:
    """The results as a table."""
    table = Table(title=f"{results['claims']} claims of {len(LIFE)} commands, 200 in flight")
    for column in ("what", "commands/s", "outcome p50/p99 ms", "board p50/p99 ms", "board lag s"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for threads, rate in results["library"].items():
        table.add_row(f"eventsourcing library, {threads} threads", f"{rate:,.0f}", "", "", "")
    for name, seen in results.items():
        if isinstance(seen, dict) and "rate" in seen:
            table.add_row(
                name,
                f"{seen['rate']:,.0f}",
                f"{seen['outcome_p50_ms']} / {seen['outcome_p99_ms']}",
                f"{seen['board_p50_ms']} / {seen['board_p99_ms']}",
                f"{seen['board_lag_s']}",
            )
    console = Console()
    console.print(table)
    console.print(f"{results['ratio to the library']} times the library's best")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--claims", type=int, default=2000)
    parser.add_argument("--json", type=Path, default=CHECKOUT / "benchmarks" / "results.json")
    options = parser.parse_args()
    log.configure("warning")
    measured = asyncio.run(main(options.claims))
    options.json.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    show(measured)

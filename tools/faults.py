"""Writes docs/faults.md: which test shows that a fault is survived, and what is left out.

`python -m tools.faults` rewrites the file; with `--check` it exits 1 when the file is stale.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "docs" / "faults.md"

CASES: Final[Mapping[int, str]] = {
    1: "worker killed before its commit",
    2: "worker killed after its commit, before it acknowledges",
    3: "worker killed between acknowledgement and outcome",
    4: "relay killed before it publishes",
    5: "relay killed after it published, before it knows",
    6: "projector killed before and after its commit",
    7: "timer killed while it passes deadlines",
    8: "nats-server killed under load, thirty times",
    9: "power cut of the disk of nats-server",
    10: "nats-server that syncs late by mistake",
    11: "store of nats-server wiped",
    12: "stream or consumer deleted while all runs",
    13: "nats-server away for ten minutes",
    14: "connection to NATS that swallows everything",
    15: "slow network",
    16: "worker cut off from its database alone",
    17: "leader of a replicated stream killed",
    18: "PostgreSQL killed under load, ten times",
    19: "power cut of the disk of PostgreSQL",
    20: "PostgreSQL restarted",
    21: "table locked for a minute",
    22: "no connection to PostgreSQL left",
    26: "disk of nats-server full",
    27: "disk of PostgreSQL full",
    28: "command sent twice at once",
    29: "command sent again days later",
    30: "command id reused for other content",
    32: "commands of one claim out of order",
    33: "fifty conflicting commands at once",
    34: "the same claim created twice at once",
    35: "message that always crashes its handler",
    36: "message that ends the process of its handler",
    37: "malformed JSON, wrong UTF-8, byte order mark, empty body",
    38: "nesting and numbers beyond measure",
    39: "NaN, keys named twice, unknown fields, naive times, NUL, surrogates",
    40: "payloads, ids and headers beyond measure",
    41: "ids that would break a subject",
    42: "unknown versions of commands and events",
    43: "database that fails for a while",
    44: "handler slower than its acknowledgement may take",
    45: "acknowledgement lost",
    46: "replay from the first message",
    47: "table of a projection dropped",
    48: "projection replaced beside the live one",
    49: "event store set back behind the stream",
    50: "two of each service",
    51: "clock that jumps by a day",
    52: "clocks of machines that differ",
    53: "everything asleep for days",
    54: "thousands of deadlines at one instant; bursts",
    55: "decline against expiry at the due instant",
    56: "daylight saving time, leap days, holidays",
    57: "holidays that change under open deadlines",
    59: "failing deadlines at the head of the queue",
    60: "history altered in the database",
    61: "checkpoint forged or rolled back",
    62: "person erased",
    63: "key store lost",
    64: "hostile uploads",
    65: "upload cut half way",
    66: "consent link opened by a scanner",
    67: "consent link used twice, expired, guessed",
    68: "forged tokens",
    69: "another organisation's claim",
    70: "credentials used for what they are not for",
    71: "whole history replayed under load",
    72: "HTTP clients that read nothing",
    73: "SIGTERM under load, rolling restart",
    74: "wrong settings",
    75: "random HTTP requests",
    76: "all of it mixed",
    77: "notifier killed at any step",
    78: "mail server away, slow, or refusing for now or for good",
    79: "database away between a mail server's answer and its record",
}
"""The numbers never change; those that miss were given up."""

LEFT_OUT: Final[Mapping[int, str]] = {
    17: "needs a cluster of three, which no test sets up yet",
    60: "the chain of hashes is not built",
    61: "the chain of hashes is not built",
    62: "erasure is not built",
    63: "erasure is not built",
    65: "uploads have tests that name no fault yet",
    71: "the export for auditors is not built",
}
"""Cases without a test, and why."""

_HEAD: Final = """\
# Faults

<!-- Written by `python -m tools.faults`: don't edit. -->

What is done to the system, or sent to it, and the tests that show it survives, on real servers.
`make test` runs them, scaled down; `make faults` runs all of them whole, those with a star only
there. `make nemesis MINUTES=60 SEED=7` mixes them by chance: it says its seed when it fails, and
the same seed strikes and sends the same again. Disks fill up and lose power only where a test may
mount file systems (as root on Linux); the tests say when they are left out.

After each of those on a running system [the checker](../tests/system/checker.py) finds what was
acknowledged in the store, the versions of each claim without a gap, `CPOR_EVENTS` equal to the
store in order and each event once, every read model equal to a fold of the store, and every clock
passed at its instant or later, once.

Two things can't be told apart from real time, and are left out of 51: all clocks of all machines
that jump together, and a nats-server whose own clock is wrong, since its arrival times are what
counts for deadlines; `cpor doctor` compares the clocks.

| | fault | shown by |
|---|---|---|
"""


class Shown(NamedTuple):
    """A test that names a fault."""

    file: Path
    name: str
    long: bool


def write(file: Path = FILE) -> None:
    """Write the page."""
    file.write_text(page(), "utf-8")


def is_stale(file: Path = FILE) -> bool:
    """Whether the page is missing or says something else."""
    return not file.exists() or file.read_text("utf-8") != page()


def page() -> str:
    """What the page must say."""
    tests = shown()
    rows = [f"| {number} | {case} | {_cell(number, tests)} |" for number, case in CASES.items()]
    return _HEAD + "\n".join(rows) + "\n"


def shown() -> Mapping[int, Sequence[Shown]]:
    """The tests that name each fault."""
    found: dict[int, list[Shown]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(file.read_text("utf-8"))
        everywhere = [
            node.value
            for node in module.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        ]
        long = any(_is_long(mark) for mark in everywhere)
        for test in _tests(module):
            marks = [*everywhere, *test.decorator_list]
            of_test = long or any(_is_long(mark) for mark in test.decorator_list)
            for number in sorted({number for mark in marks for number in _numbers(mark)}):
                found[number].append(Shown(file, test.name, of_test))
    return found


def _tests(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith(
                "test_"
            ):
                yield node
            case _:
                pass


def _numbers(mark: ast.expr) -> Iterator[int]:
    """The numbers of every `pytest.mark.fault(…)` in a mark, its parameters included."""
    for node in ast.walk(mark):
        match node:
            case ast.Call(func=ast.Attribute(attr="fault"), args=[ast.Constant(value=int(number))]):
                yield number
            case _:
                pass


def _is_long(mark: ast.expr) -> bool:
    """Whether the whole test is marked so, not only some of its parameters."""
    marks = mark.elts if isinstance(mark, ast.List) else [mark]
    return any(ast.unparse(each) == "pytest.mark.long" for each in marks)


def _cell(number: int, tests: Mapping[int, Sequence[Shown]]) -> str:
    if number not in tests:
        return f"– ({LEFT_OUT[number]})"
    by_file: dict[Path, list[str]] = defaultdict(list)
    for test in tests[number]:
        words = test.name.removeprefix("test_").replace("_", " ")
        by_file[test.file].append(f"{words}{'*' if test.long else ''}")
    return "; ".join(
        f"[{file.stem}](../{file.relative_to(ROOT)}): {', '.join(dict.fromkeys(names))}"
        for file, names in by_file.items()
    )


def main() -> int:
    """Write the page, or with `--check` only say whether it is stale."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is stale")
    if not parser.parse_args().check:
        write()
    elif is_stale():
        print(f"{FILE.relative_to(ROOT)} is stale: run python -m tools.faults")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/benchmarks.md and its chart, made from results.json.

`python -m benchmarks.page` writes both anew; a test fails while they are stale.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import Results
from benchmarks.chart import Bar, chart
from benchmarks.summary import findings, ratio, shown
from services.settings import CHECKOUT

RESULTS = Path(__file__).parent / "results.json"
PAGE = CHECKOUT / "docs" / "benchmarks.md"
CHART = CHECKOUT / "docs" / "images" / "benchmarks.svg"

OURS = (
    ("cpor, NATS syncs by interval", "interval"),
    ("cpor, NATS syncs always", "always"),
)
BROKER = (
    ("JetStream's acknowledgements", "broker"),
    ("JetStream's work queue", "queue"),
)
OTHERS = (
    ("CRUD with asyncpg", "crud"),
    ("Emmett on PostgreSQL", "emmett"),
    ("eventsourcing library", "library"),
    ("DBOS Transact", "dbos"),
)
LEAVES_OUT = {
    "crud": (
        "no broker, no rules, no idempotence by command id, no strict reading, no published "
        "events: a row, locked and changed, and a row of history, by {connections} connections "
        "of one process (asyncpg {version})"
    ),
    "library": (
        "no broker, no rules, no idempotence, no board: load, decide and save by {threads} "
        "threads, the best number of those that were tried (eventsourcing {version})"
    ),
    "dbos": (
        "no broker, no rules, no events, and the row of the claim in place of a board: a workflow "
        "per claim that records each change with its transaction, by {threads} threads, the best "
        "number of those that were tried (dbos {version})"
    ),
    "emmett": (
        "no broker, no rules, no idempotence: load, decide and append, with an inline projection "
        "in SQL in the same transaction, {lanes} claims at once in one process of Node "
        "(Emmett {version})"
    ),
}


_BUSY = 0.5
"""Load average above which others are at work, too."""


def write(results: Results) -> None:
    """Write page and chart."""
    PAGE.write_text(page(results), "utf-8")
    CHART.write_text(drawn(results), "utf-8")


def load() -> dict[str, Any]:
    """The results of the last whole run."""
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    return results


def drawn(results: Results) -> str:
    """Changes per second of us and of others."""
    ours = [Bar(label, results[stage]["commands"]["rate"], ours=True) for label, stage in OURS]
    others = [
        Bar(label, results["interval"][part]["rate"], ours=False)
        for label, part in OTHERS
        if "rate" in results["interval"][part]
    ]
    return chart("Durable changes of claims per second", [*ours, *others])


def page(results: Results) -> str:
    """The page."""
    return "\n\n".join(_paragraphs(results)) + "\n"


def _paragraphs(results: Results) -> Iterator[str]:
    machine = results["machine"]
    yield "# Benchmarks"
    yield _wrapped(
        "`make bench` measures all of this in one run, on the same embedded servers, and writes "
        "this page. Speeds are comparable within a run only: the load generator, the servers and "
        "all services share the machine's cores."
    )
    yield _wrapped(
        f"The last whole run: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, PostgreSQL "
        f"{machine['postgresql']}, nats-server {machine['nats_server']}."
    )
    if results["load_before"] >= _BUSY:
        yield _wrapped(
            f"The machine was not its own: its load average was {results['load_before']} before "
            "the run began. That takes something from every figure, from some more than from "
            "others; the rounds below show how much they differ."
        )
    yield "## Targets"
    met = [finding.met for finding in findings(results)]
    yield _wrapped(f"{sum(met)} of {len(met)} are met.")
    yield _table(
        ("what", "target", "measured", ""),
        [
            (finding.target.what, finding.bound, finding.shown, "met" if finding.met else "missed")
            for finding in findings(results)
        ],
    )
    yield from _compared(results)
    yield from _taking(results)
    yield from _others(results)


def _compared(results: Results) -> Iterator[str]:
    yield "## Compared"
    yield "![Durable changes of claims per second](images/benchmarks.svg)"
    yield _wrapped(
        f"The work is the same for all: {results['claims']:,} claims (fewer for the slow ones), "
        f"each created, given a proof, submitted, taken into review, sent back and resubmitted, "
        f"in {results['commands']} changes that are each on disk before the next one begins; "
        "PostgreSQL with fsync. For cpor a change is a command published on NATS, decided by the "
        f"rules and answered by its outcome, with {results['in_flight']} in flight, while relay "
        "and projector publish its event and put it on the board, on the same cores. What the "
        "others leave out of that:"
    )
    yield "\n".join(_left_out(results))
    yield _wrapped(
        "None of them has to pay for the broker, which is the price of taking commands from other "
        "systems; and none of them was made for this work. CRUD does the least: it is the bound "
        "that transactions one by one can reach here. With `sync_interval: always` JetStream has "
        "each command on disk before it acknowledges; by interval (as in a replicated cluster) "
        "the disk of PostgreSQL alone counts, as it does for the others. So both are shown."
    )
    yield _wrapped(
        "What JetStream can do by itself is measured twice. It acknowledges publishes after one "
        "sync each. Commands stand in a work queue, and the server syncs once more for each that "
        "is acknowledged and removed: publishing, delivering and removing the same messages, "
        "without anything done between, is the rate that commands could come to."
    )
    yield _table(
        ("changes/s", "median", "rounds", "cpor `interval` is", "cpor `always` is"),
        list(_speeds(results)),
    )


def _left_out(results: Results) -> Iterator[str]:
    for label, part in OTHERS:
        found = results["interval"][part]
        if "rate" in found:
            yield _wrapped(f"* {label}: {LEAVES_OUT[part].format(**found)}.", "  ")
        else:
            yield _wrapped(f"* {found['left_out']}", "  ")


def _speeds(results: Results) -> Iterator[tuple[str, ...]]:
    for label, stage in OURS:
        commands = results[stage]["commands"]
        yield label, f"{commands['rate']:,.0f}", _rounds(commands), "", ""
    for stage in ("interval", "always"):
        for label, part in BROKER:
            found = results[stage][part]
            times = f"{shown(ratio(stage, part)(results))} ×"
            yield (
                f"{label}, {stage}",
                f"{found['rate']:,.0f}",
                _rounds(found),
                times if stage == "interval" else "",
                times if stage == "always" else "",
            )
    for label, part in OTHERS:
        found = results["interval"][part]
        if "rate" in found:
            always = results["always"]["commands"]["rate"] / found["rate"]
            yield (
                label,
                f"{found['rate']:,.0f}",
                _rounds(found),
                f"{shown(ratio('interval', part)(results))} ×",
                f"{shown(always)} ×",
            )


def _rounds(found: Results) -> str:
    if "by_threads" in found:
        return ", ".join(f"{n} threads {rate:,.0f}" for n, rate in found["by_threads"].items())
    return ", ".join(f"{rate:,.0f}" for rate in found.get("rates", ()))


def _taking(results: Results) -> Iterator[str]:
    yield "## How long a command takes"
    yield "Milliseconds from publishing it to its outcome, and to its event on the board."
    rows: list[tuple[str, ...]] = []
    for stage in ("always", "interval"):
        loads = results[stage]["latency"] | {"full": results[stage]["commands"]}
        for name, words in (("quiet", ""), ("half", "half of the maximum, "), ("full", "full, ")):
            seen = loads[name]
            rows.append(
                (
                    f"`{stage}`, {words}{seen['rate']:,.0f} commands/s",
                    *(f"{seen[key]:,.1f}" for key in _LATENCIES),
                )
            )
    yield _table(("load", "outcome p50", "p99", "board p50", "p99"), rows)
    yield "CPU for each command under full load, in microseconds, over all processes:"
    names = list(results["always"]["commands"]["cpu_us_per_command"])
    yield _table(
        ("", *names, "all"),
        [
            (f"`{stage}`", *(f"{used[name]:,.0f}" for name in names), f"{sum(used.values()):,.0f}")
            for stage in ("always", "interval")
            for used in [results[stage]["commands"]["cpu_us_per_command"]]
        ],
    )


_LATENCIES = ("outcome_p50_ms", "outcome_p99_ms", "board_p50_ms", "board_p99_ms")


def _others(results: Results) -> Iterator[str]:
    rebuild = results["interval"]["rebuild"]
    growth = results["growth"]["growth"]
    timer = results["interval"]["timer"]
    idle = results["idle"]["idle"]
    yield "## Rebuilding"
    readings = ", ".join(
        f"{rate:,.0f} by {n} process{'' if n == '1' else 'es'}"
        for n, rate in rebuild["reading_rates"].items()
    )
    yield _wrapped(
        f"`cpor rebuild board` folds {rebuild['events']:,} events in {rebuild['seconds']:.1f} s "
        f"with {rebuild['processes']} processes: {rebuild['rate']:,.0f} events/s, start, indexes "
        "and swap included. Only reading the same events from the store, in the same order, "
        f"comes to {readings}; the best of these counts. The memory is that of the rebuild's own "
        "processes together, without PostgreSQL's."
    )
    yield "## Many claims"
    yield _wrapped(
        f"With {growth['few']:,} claims and more {growth['few_rate']:,.0f} commands/s, with "
        f"{growth['many']:,} more {growth['many_rate']:,.0f}, on the same system. In between the "
        f"relay copied their events into the event stream, {growth['relay_rate']:,.0f} a second."
    )
    yield "## Timer"
    yield _wrapped(
        f"With {timer['clocks']:,} open clocks ({timer['table_mib']:,.0f} MiB in PostgreSQL) the "
        f"timer uses {timer['timer_memory_mib']:.0f} MiB and {timer['timer_cpu_percent']:.1f} % of "
        f"a core while nothing is due; a look takes {timer['poll_ms']:.2f} ms. A command that "
        f"opens a clock costs the projection {timer['arming_us']:.0f} µs, one that closes it "
        f"{timer['closing_us']:.0f} µs."
    )
    yield _wrapped(
        f"When {timer['due_at_once']:,} clocks come due at one instant, half of them have passed "
        f"after {timer['lateness_p50_s']:.2f} s, 99 of 100 after {timer['lateness_p99_s']:.2f} s "
        f"and the last after {timer['all_fired_s']:.2f} s. Other commands, 200 a second, have a "
        f"p99 of {timer['meanwhile_p99_ms']:.1f} ms meanwhile, against "
        f"{timer['normal_p99_ms']:.1f} ms before."
    )
    if "notifications" in results:
        yield from _notifying(results["notifications"]["notifying"])
    if "dashboard" in results:
        yield from _dashboard(results["dashboard"]["dashboard"])
    yield "## Idle"
    yield _wrapped(
        f"`cpor up` with all services and both servers: {idle['memory_mib']:.0f} MiB (proportional "
        f"set size) and {idle['cpu_percent']:.1f} % of one core, over {idle['seconds']} s in which "
        "nothing happens."
    )


def _notifying(found: Results) -> Iterator[str]:
    yield "## Mails"
    yield _wrapped(
        f"{found['events']:,} events, which lie in the event stream when the notifier starts, "
        f"become {found['notices']:,} notices in {found['planned_s']:.1f} s, "
        f"{found['plan_rate']:,.0f} events a second; {found['mails']:,} mails, those to reviewers "
        "with up to a hundred notices, have been handed to a mail server on the same cores after "
        f"{found['sent_s']:.1f} s, {found['mail_rate']:,.0f} a second, begun beside the planning. "
        f"The notifier uses {found['memory_mib']:.0f} MiB at most."
    )
    yield _wrapped(
        f"While it waits for a server that takes {found['slow_s']:.0f} s for each mail, commands, "
        f"200 a second, have a p99 of {found['slow_p99_ms']:.1f} ms, against "
        f"{found['quick_p99_ms']:.1f} ms beside one that throws mails away at once, and "
        f"{found['without_p99_ms']:.1f} ms without a notifier."
    )


def _dashboard(found: Results) -> Iterator[str]:
    pages, visible = found["pages"], found["visible"]
    yield "## Dashboard"
    yield _wrapped(
        f"The reads of the claims list with {found['claims']:,} claims on the board, in "
        f"milliseconds: each {found['calls']} times, by several readers, with changing parameters; "
        "with composing the statement and decoding its rows. Beside them, how often which index "
        "was used."
    )
    yield _table(
        ("read", "p50", "p99", "scans"),
        [
            (
                name,
                f"{read['p50_ms']:,.1f}",
                f"{read['p99_ms']:,.1f}",
                ", ".join(f"{index} {scans:,}" for index, scans in read["scans"].items()),
            )
            for name, read in found["reads"].items()
        ],
    )
    yield _wrapped(
        f"One web process renders {pages['rate']:,.0f} pages a second of this list for "
        f"{pages['connections']} browsers that leaf through it, each in {pages['p50_ms']:,.1f} ms "
        f"(p99 {pages['p99_ms']:,.1f} ms); a page costs it {pages['cpu_ms_per_page']:.1f} ms of "
        "CPU. PostgreSQL and the browsers share the cores with it."
    )
    yield _wrapped(
        f"A command's change is on an open page {visible['p50_ms']:,.1f} ms after it was sent "
        f"(p99 {visible['p99_ms']:,.1f} ms; {visible['changes']:,} changes): the page hears of it "
        "and has asked for the changed row."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---" if number == 0 else "---:" for number in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    write(load())

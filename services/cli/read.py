"""`cpor show`, `cpor list`, `cpor history`: claims as the HTTP API tells of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from domain.vocabulary import Sla, Status, Turn
from services.cli.api import Api, reader
from services.cli.instant import Utc, shown

_PAGE = 500
"""Claims that the API gives at once, at most."""

_COLOURS = {
    Status.EDITING: "white",
    Status.SUBMITTED: "cyan",
    Status.UNDER_REVIEW: "blue",
    Status.PARTNER_ACTION_REQUIRED: "yellow",
    Status.APPROVED: "green",
    Status.REJECTED: "red",
}
_URGENCY = {Sla.OK: "", Sla.DUE_SOON: "yellow", Sla.MISSED: "bold red"}
_UNREMARKABLE = {"none", "not_sent"}

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ROLE:ORG:ID",
        help="Who reads, as in incentives_admin:1234567:ayse; an auditor, who sees everything, when"
        " left out.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own answer.")]
ClaimId = Annotated[UUID, typer.Argument(metavar="CLAIM_ID", help="The claim's UUID.")]


def register(app: typer.Typer) -> None:
    """Add the commands that read to the command line."""
    app.command("show")(show)
    app.command("list")(list_claims)
    app.command("history")(history)


def show(
    claim_id: ClaimId,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="As it was at this version.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="As it was at this instant, e.g. 2031-03-05T12:00:00Z.")
    ] = None,
    as_: As = None,
    utc: Utc = False,
    as_json: AsJson = False,
) -> None:
    """Show one claim, as it is or as it was."""
    with Api(reader(as_), as_json=as_json) as api:
        claim = api.get(f"/api/claims/{claim_id}", {"version": version, "as_of": as_of})
    if as_json:
        _print_json(claim)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    for name, value in _facts(claim, utc=utc):
        table.add_row(name, Text(value) if isinstance(value, str) else value)
    title = Text(claim["name"], "bold")
    Console(highlight=False).print(
        Panel(table, title=title, title_align="left", subtitle=f"version {claim['version']}")
    )


def list_claims(
    *,
    status: Annotated[Status | None, typer.Option(help="The claim's status.")] = None,
    whose_turn: Annotated[Turn | None, typer.Option(help="Whose move it is.")] = None,
    org: Annotated[str | None, typer.Option(help="The partner organisation.")] = None,
    product: Annotated[str | None, typer.Option(help="A product's code.")] = None,
    tenant_id: Annotated[UUID | None, typer.Option(help="The customer's directory.")] = None,
    subscription_id: Annotated[str | None, typer.Option(help="A subscription.")] = None,
    sla: Annotated[Sla | None, typer.Option(help="How the open clock stands.")] = None,
    due_before: Annotated[
        str | None, typer.Option(help="Due before an instant, e.g. 2031-03-10T00:00:00Z.")
    ] = None,
    q: Annotated[
        str | None,
        typer.Option(
            "-q",
            "--q",
            metavar="WORDS",
            help="Words, or beginnings of words, in name, customer, domain or MPN id.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(help="due_at, updated_at or created_at; with - before it descending."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 50,
    as_: As = None,
    utc: Utc = False,
    as_json: AsJson = False,
) -> None:
    """List claims, all or those that every given filter lets through."""
    query = {
        "status": status,
        "whose_turn": whose_turn,
        "org": org,
        "product": product,
        "tenant_id": tenant_id,
        "subscription_id": subscription_id,
        "sla": sla,
        "due_before": due_before,
        "q": q,
        "sort": sort,
    }
    with Api(reader(as_), as_json=as_json) as api:
        claims, following = _pages(api, query, limit)
    if as_json:
        _print_json({"items": claims, "next": following})
        return
    console = Console(highlight=False)
    if not claims:
        console.print("No claims.")
        return
    console.print(_board(claims, utc=utc))
    more = f"; there are more: --limit {2 * limit} shows them" if following else ""
    console.print(f"{len(claims)} claims{more}." if len(claims) > 1 else "1 claim.", style="dim")


def history(
    claim_id: ClaimId, *, as_: As = None, utc: Utc = False, as_json: AsJson = False
) -> None:
    """Tell everything that happened to a claim, who did it and when."""
    with Api(reader(as_), as_json=as_json) as api:
        answer = api.get(f"/api/claims/{claim_id}/history")
    if as_json:
        _print_json(answer)
        return
    table = Table("", "When", "Who", "What", box=box.SIMPLE_HEAD, pad_edge=False)
    for item in answer["items"]:
        what = Text(item["event"], "bold")
        if item["text"]:
            what.append(f"\n{item['text']}", "not bold")
        when = shown(item["time"], utc=utc, seconds=True)
        table.add_row(str(item["version"]), when, Text(_named(item["actor"])), what)
    Console(highlight=False).print(table)


def _pages(
    api: Api, query: Mapping[str, object | None], limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` claims, by as many calls as it takes, and the cursor of what follows."""
    claims: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        size = min(_PAGE, limit - len(claims))
        page = api.get("/api/claims", {**query, "limit": size, "after": after})
        claims += page["items"]
        after = page["next"]
        if after is None or len(claims) >= limit:
            return claims, after


def _board(claims: Sequence[Mapping[str, Any]], *, utc: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Claim", no_wrap=True)
    table.add_column("Name and customer", overflow="fold")
    table.add_column("Status", overflow="fold")
    table.add_column("Whose turn, until", no_wrap=True)
    for claim in claims:
        table.add_row(
            Text(f"{claim['claim_id']}\n").append(f"{claim['org']}", "dim"),
            Text(f"{claim['name']}\n").append(claim["customer"]["name"], "dim"),
            _status(claim),
            Text(f"{claim['whose_turn']}\n").append(
                shown(claim["due_at"], utc=utc), _URGENCY[claim["sla"]] or "dim"
            ),
        )
    return table


def _status(claim: Mapping[str, Any]) -> Text:
    """The public status, and beneath it what stands beside it."""
    finer = [
        f"{name} {claim[name]}"
        for name in ("consent", "dispute", "assessment")
        if claim[name] not in _UNREMARKABLE
    ]
    return Text(claim["status"], _COLOURS[claim["status"]]).append(
        "".join(f"\n{each}" for each in finer), "dim"
    )


def _facts(claim: Mapping[str, Any], *, utc: bool) -> Iterator[tuple[str, str | Text]]:
    """What is known of a claim, in the order in which a person asks; what is empty is left out."""
    yield "claim", claim["claim_id"]
    yield "status", _status(claim)
    yield "whose turn", claim["whose_turn"]
    for clock in claim["clocks"]:
        due = shown(clock["due_at"], utc=utc)
        text = Text(f"{clock['clock']} until {due}")
        yield "clock", text.append(f" {claim['sla']}", _URGENCY[claim["sla"]])
    customer = claim["customer"]
    plain = {
        "partner": f"{claim['org']}, MPN id {claim['mpn_id']}",
        "partner contact": _contact(claim["partner_contact"]),
        "customer": f"{customer['name']}, {customer['domain']}",
        "tenant": customer["tenant_id"],
        "customer contact": _contact(claim["customer_contact"]),
        "solution area": claim["solution_area"],
        "activities": ", ".join(claim["activities"]),
        "products": ", ".join(claim["products"]),
        "subscriptions": ", ".join(claim["subscription_ids"]),
        "documents": "\n".join(_document(each) for each in claim["documents"]),
        "assessments": "\n".join(
            f"{each['programme']}: {each['result']}" for each in claim["assessments"]
        ),
        "reviewer": claim["reviewer"],
        "action needed": ", ".join(claim["action_reasons"]),
        "rejected for": ", ".join(claim["rejection_reasons"]),
        "supersedes": claim["supersedes"],
        "policy": claim["policy"],
    }
    yield from ((name, value) for name, value in plain.items() if value)
    for name in ("created_at", "submitted_at", "decision_target_at", "decided_at", "updated_at"):
        if claim[name]:
            yield name.removesuffix("_at").replace("_", " "), shown(claim[name], utc=utc)


def _document(document: Mapping[str, Any]) -> str:
    return f"{document['filename']} ({document['size']:,} bytes) {document['digest'][:19]}…"


def _contact(contact: Mapping[str, Any] | None) -> str:
    """A contact in one line; nothing when it was erased."""
    return ", ".join(str(part) for part in (contact or {}).values() if part)


def _named(actor: Mapping[str, Any]) -> str:
    return f"{actor['id']} ({actor['role']})" if actor["id"] != actor["role"] else actor["id"]


def _print_json(answer: object) -> None:
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))

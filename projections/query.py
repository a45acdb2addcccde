"""Composed reads of the claim board: lists by filters and pages, and the summary.

What a reader may see is decided by the domain (R25) and becomes part of every query.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import product
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    false,
    func,
    literal,
    make_url,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from domain.access import may_read
from domain.actor import Actor
from domain.command import Instant
from domain.lifecycle import LIFECYCLE, phase_of
from domain.refusal import FieldError, Invalid
from domain.vocabulary import ClockName, Consent, Dispute, Sla, Status, Turn
from projections import search
from projections.board import ClaimRow
from projections.board_table import decoded
from projections.table import board_counts, claim_board, claim_words, due_or_never

MAX_LIMIT: Final = 500
_NEVER: Final = "infinity"
_FEW: Final = 5_000
"""Claims that are few enough to be named one by one."""
_TURNS: Final = {
    status: {
        LIFECYCLE[phase_of(status, consent, dispute, clock)].turn
        for consent, dispute, clock in product(Consent, Dispute, [*ClockName, None])
    }
    for status in Status
}
"""Whose turn it can be in each status."""
_RUNNING: Final = {
    running: sorted(
        {
            (status, LIFECYCLE[phase].turn)
            for status, consent, dispute, clock in product(
                Status, Consent, Dispute, [*ClockName, None]
            )
            if LIFECYCLE[phase := phase_of(status, consent, dispute, clock)].clock is running
        }
    )
    for running in ClockName
}
"""Where each clock runs: no column keeps its name, since status and turn tell which one is open."""
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()

_Statement = Select[*tuple[Any, ...]]


class _Sql(NamedTuple):
    """A statement as it is sent, and those of its values that are part of it."""

    text: bytes
    values: Mapping[str, object]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    return text


Wanted = Annotated[
    str,
    StringConstraints(max_length=300),
    AfterValidator(_without_nul),
    Field(json_schema_extra={"pattern": r"^[^\x00]*$"}),
]
"""What somebody looks for, as PostgreSQL can take it."""


class Sort(StrEnum):
    """In which order claims are listed; those that are due never come after all others."""

    DUE_AT = "due_at"
    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    DUE_AT_DESCENDING = "-due_at"
    UPDATED_AT_DESCENDING = "-updated_at"
    CREATED_AT_DESCENDING = "-created_at"


class ClaimQuery(BaseModel):
    """Which claims, in which order, and which page of them. Several values of a filter: any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: tuple[Status, ...] = ()
    whose_turn: tuple[Turn, ...] = ()
    org: Wanted | None = None
    product: Wanted | None = None
    tenant_id: UUID | None = None
    subscription_id: Wanted | None = None
    sla: Sla | None = None
    clock: tuple[ClockName, ...] = ()
    """The clock that is open."""
    due_before: Instant | None = None
    q: Wanted | None = None
    """Words and beginnings of words in name, customer, domain and MPN id: all of them."""
    sort: Sort = Sort.UPDATED_AT_DESCENDING
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    after: Annotated[str, StringConstraints(max_length=300)] | None = None
    """The cursor of the page before, in the same order."""


@dataclass(frozen=True, slots=True)
class Page:
    """Claims, and the cursor of those that follow, if any do."""

    rows: Sequence[ClaimRow]
    next: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How many claims there are, by each of three views; every value is named."""

    status: Mapping[Status, int]
    whose_turn: Mapping[Turn, int]
    sla: Mapping[Sla, int]


async def list_claims(
    connection: AsyncConnection,
    query: ClaimQuery,
    *,
    reader: Actor,
    now: datetime,
    among: Sequence[UUID] | None = None,
) -> Page:
    """The claims that the reader may see and asks for, of all or among these.

    Raises Invalid for a cursor that is none, or belongs to another order.
    """
    values = {"now": now, **_place(query)}
    anywhere = query if query.after is None else query.model_copy(update={"after": "somewhere"})
    found = await _find(connection, query)
    if found is None and among is None:
        sql = _plain(anywhere, reader)  # pyright: ignore[reportArgumentType] - both have a hash
    else:
        sql = _compiled(_listed(anywhere, reader, found, among))
    rows = [decoded(claim) for (claim,) in await _run(connection, sql, values)]
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(rows, _cursor(query.sort, rows[-1]) if more else None)


async def summarize(connection: AsyncConnection, *, reader: Actor, now: datetime) -> Summary:
    """Count the claims that the reader may see."""
    status, whose_turn = dict.fromkeys(Status, 0), dict.fromkeys(Turn, 0)
    missed = total = overdue = due_soon = 0
    sql = _summary(reader)  # pyright: ignore[reportArgumentType] - frozen models have a hash
    for each, turn, has_missed, claims, *due in await _run(connection, sql, {"now": now}):
        status[Status(each)] += int(claims)
        whose_turn[Turn(turn)] += int(claims)
        missed += int(claims) if has_missed else 0
        total += int(claims)
        overdue, due_soon = due
    missed += overdue
    sla = {Sla.OK: total - missed - due_soon, Sla.DUE_SOON: due_soon, Sla.MISSED: missed}
    return Summary(status, whose_turn, sla)


async def _find(connection: AsyncConnection, query: ClaimQuery) -> ColumnElement[bool] | None:
    """The condition for what is looked for by words and tokens, if anything is.

    Text without a word in it is in no claim.
    Few claims are named by their ids. For many, their words are looked at in the order of the list,
    whose first page is then soon full. PostgreSQL can't tell the one case from the other: it has
    no idea how many words begin with these letters.
    """
    text = (query.q or "").strip()
    if text and not search.words(text):
        return false()
    looked_for = search.query(text, _tokens(query))
    if looked_for is None:
        return None
    matching = select(claim_words.c.claim_id).where(
        claim_words.c.words.bool_op("@@")(literal(looked_for, Text).cast(TSQUERY))
    )
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        found = await _run(connection, _compiled(matching.limit(_FEW + 1)), {})
    if len(found) <= _FEW:
        return claim_board.c.claim_id.in_([claim_id for (claim_id,) in found])
    return claim_board.c.claim_id.in_(matching)


@lru_cache(maxsize=1024)
def _plain(query: ClaimQuery, reader: Actor) -> _Sql:
    """What is asked for without words and tokens: from any moment, and from any place on."""
    return _compiled(_listed(query, reader, None, None))


def _listed(
    query: ClaimQuery,
    reader: Actor,
    found: ColumnElement[bool] | None,
    among: Sequence[UUID] | None,
) -> _Statement:
    """The claims as of `now`; when `query.after` is not None, from `key` and `claim_id` on."""
    board = claim_board.c
    by = query.sort.lstrip("-")
    key = _KEYS[by]
    if by != "updated_at" and (reader.is_partner or query.org is not None):
        # No index has this order: rather sort an organisation's claims than walk past all others'.
        key = key + timedelta(0)
    descending = query.sort.startswith("-")
    order: tuple[ColumnElement[Any], ...] = (key, board.claim_id)
    conditions = [*_visible(board.org, board.status, reader), *_filters(query)]
    if found is not None:
        conditions.append(found)
    if among is not None:
        conditions.append(board.claim_id.in_(among))
    if query.after is not None:
        place = tuple_(_instant(bindparam("key", None, Text)), bindparam("claim_id", None, Uuid))
        conditions.append(tuple_(*order) < place if descending else tuple_(*order) > place)
    if descending:
        order = tuple(column.desc() for column in order)
    return select(board.claim.cast(Text)).where(*conditions).order_by(*order).limit(query.limit + 1)


def _filters(query: ClaimQuery) -> list[ColumnElement[bool]]:
    board = claim_board.c
    conditions: list[ColumnElement[bool]] = []
    if query.status:
        conditions.append(board.status.in_(query.status))
    running = sorted({place for clock in query.clock for place in _RUNNING[clock]})
    turns = query.whose_turn or sorted(
        {turn for each in query.status for turn in _TURNS[each]} or {turn for _, turn in running}
    )
    if turns:  # those of a status are implied by it: the index on turns finds the few in work
        conditions.append(board.whose_turn.in_(turns))
    if running:
        conditions += [
            or_(*(and_(board.status == s, board.whose_turn == turn) for s, turn in running)),
            due_or_never < _instant(literal(_NEVER, Text)),  # ends a walk where no clock is open
        ]
    if query.org is not None:
        conditions.append(board.org == query.org)
    if query.sla is not None:
        conditions.append(_sla(query.sla))
    if query.due_before is not None:
        conditions.append(due_or_never < query.due_before)
    return conditions


def _tokens(query: ClaimQuery) -> list[str]:
    wanted = {
        "product": query.product,
        "tenant": query.tenant_id,
        "subscription": query.subscription_id,
    }
    return [search.exact(kind, str(each)) for kind, each in wanted.items() if each is not None]


def _sla(sla: Sla) -> ColumnElement[bool]:
    """`ClaimRow.sla` as a condition."""
    board = claim_board.c
    now = _now()
    missed = or_(board.passed, due_or_never <= now)
    soon = and_(not_(board.passed), board.due_at > now, board.due_soon_at <= now)
    match sla:
        case Sla.MISSED:
            return missed
        case Sla.DUE_SOON:
            return soon
        case Sla.OK:
            return or_(board.due_at.is_(None), and_(not_(board.passed), board.due_soon_at > now))


@lru_cache(maxsize=1024)
def _summary(reader: Actor) -> _Sql:
    """The counts, each with those of what is nearly due: of one moment, as one statement is."""
    counts = board_counts.c
    by = (counts.status, counts.whose_turn, counts.missed)
    due = _nearly_due(reader).subquery()
    return _compiled(
        select(*by, func.sum(counts.claims), due.c.overdue, due.c.soon)
        .where(*_visible(counts.org, counts.status, reader))
        .group_by(*by, due.c.overdue, due.c.soon)
    )


def _nearly_due(reader: Actor) -> _Statement:
    """Of claims whose clock is not recorded as passed: how many are overdue, and due soon."""
    board = claim_board.c
    now = _now()
    return select(
        func.count().filter(board.due_at <= now).label("overdue"),
        func.count().filter(board.due_at > now).label("soon"),
    ).where(
        *_visible(board.org, board.status, reader),
        board.due_soon_at.is_not(None),
        not_(board.passed),
        board.due_soon_at <= now,
    )


def _visible(
    org: ColumnElement[str], status: ColumnElement[str], reader: Actor
) -> list[ColumnElement[bool]]:
    """What the reader may see of a table with an organisation and a status (R25)."""
    own = reader.org or ""
    readable = [each for each in Status if may_read(reader, org=own, status=each)]
    conditions: list[ColumnElement[bool]] = []
    if not readable:
        conditions.append(false())
    elif len(readable) < len(Status):
        conditions.append(status.in_(readable))
    if reader.is_partner:
        conditions.append(org == own)
    return conditions


def _cursor(sort: Sort, row: ClaimRow) -> str:
    key: datetime | None = getattr(row, sort.lstrip("-"))
    place = [sort.value, key.isoformat() if key else _NEVER, str(row.claim_id)]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(query: ClaimQuery) -> dict[str, object]:
    """Where the query's cursor points: `key` and `claim_id`. Raises Invalid."""
    cursor = query.after
    if cursor is None:
        return {}
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        order, key, claim_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if key != _NEVER:
            key = datetime.fromisoformat(key).astimezone(UTC).isoformat()
        claim_id = UUID(claim_id)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise Invalid([FieldError("/after", "is not a cursor of this list")]) from error
    if order != query.sort:
        wrong = f"is a cursor of the order {order}, not of {query.sort}"
        raise Invalid([FieldError("/after", wrong)])
    return {"key": key, "claim_id": claim_id}


def _now() -> ColumnElement[Any]:
    return bindparam("now", None, claim_board.c.due_at.type)


def _instant(text: ColumnElement[str]) -> ColumnElement[Any]:
    """An instant, `infinity` included, which no instant of Python's is."""
    return text.cast(claim_board.c.due_at.type)


def _compiled(statement: _Statement) -> _Sql:
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return _Sql(str(compiled).encode(), compiled.params)


async def _run(
    connection: AsyncConnection, sql: _Sql, values: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """SQLAlchemy composes, psycopg runs: no second pool, no second way to wait."""
    cursor = await connection.execute(sql.text, {**sql.values, **values})
    return await cursor.fetchall()


_KEYS: Final[Mapping[str, ColumnElement[Any]]] = {
    "due_at": due_or_never,
    "updated_at": claim_board.c.updated_at,
    "created_at": claim_board.c.created_at,
}

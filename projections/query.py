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
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    false,
    func,
    literal,
    make_url,
    not_,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.sql.compiler import SQLCompiler

from domain.access import may_read
from domain.actor import Actor
from domain.command import Instant
from domain.lifecycle import LIFECYCLE, phase_of
from domain.refusal import FieldError, Invalid
from domain.vocabulary import ClockName, Consent, Dispute, Sla, Status, Turn
from projections import search
from projections.board import ClaimRow
from projections.board_table import decoded
from projections.table import (
    board_counts,
    claim_board,
    claim_words,
    due_or_never,
    place,
    soon_or_never,
)

MAX_LIMIT: Final = 500
_NEVER: Final = "infinity"
_FEW: Final = 5_000
"""Claims that are few enough to be named one by one."""
_PIECE: Final = 1_000
"""Claims of a list that a search goes through at first; each further piece is twice as long."""
_HARDLY: Final = 0.25
"""A part of a page, with less of which a piece was not worth going through."""
_FINAL: Final = "final"


class _Place(NamedTuple):
    """Where claims can stand, as `projections.table.place` tells it."""

    status: Status
    turn: Turn
    clock: ClockName | None
    """The clock that runs there, which no column names: status and turn tell which one is open."""

    @property
    def name(self) -> str:
        """Its value in the table."""
        if self.status is Status.REJECTED and self.clock is None:
            return _FINAL
        return f"{self.status} {self.turn}"


_PLACES: Final = sorted(
    {
        _Place(status, LIFECYCLE[phase].turn, LIFECYCLE[phase].clock)
        for status, consent, dispute, clock in product(Status, Consent, Dispute, [*ClockName, None])
        if (phase := phase_of(status, consent, dispute, clock))
    },
    key=lambda place: place.name,
)
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()

_Statement = Select[*tuple[Any, ...]]


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
    asked = _asked(query, reader, now, among)
    if asked is None:
        return Page((), None)
    if asked.how.by_words and among is None:
        rows = await _search(connection, asked)
    else:
        rows = await _list(connection, asked.how, asked.values)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(rows, _cursor(query.sort, rows[-1]) if more else None)


async def summarize(connection: AsyncConnection, *, reader: Actor, now: datetime) -> Summary:
    """Count the claims that the reader may see."""
    status, whose_turn = dict.fromkeys(Status, 0), dict.fromkeys(Turn, 0)
    missed = total = overdue = due_soon = 0
    compiled = _summary(reader)  # pyright: ignore[reportArgumentType] - frozen models have a hash
    for each, turn, has_missed, claims, *due in await _run(connection, compiled, {"now": now}):
        status[Status(each)] += int(claims)
        whose_turn[Turn(turn)] += int(claims)
        missed += int(claims) if has_missed else 0
        total += int(claims)
        overdue, due_soon = due
    missed += overdue
    sla = {Sla.OK: total - missed - due_soon, Sla.DUE_SOON: due_soon, Sla.MISSED: missed}
    return Summary(status, whose_turn, sla)


class _How(NamedTuple):
    """What the text of a list's statement depends on."""

    sort: Sort
    places: tuple[str, ...]
    of_org: bool
    among: bool
    by_words: bool
    sla: Sla | None
    due_before: bool
    after: bool


class _Asked(NamedTuple):
    """A list's statement, and the values that it is run with."""

    how: _How
    values: dict[str, object]
    limit: int


def _asked(
    query: ClaimQuery, reader: Actor, now: datetime, among: Sequence[UUID] | None
) -> _Asked | None:
    """What is asked for; None for what no claim can be, or none that the reader may see (R25)."""
    after = None if query.after is None else _pointed(query.sort, query.after)
    text = (query.q or "").strip()
    places = tuple(place.name for place in _PLACES if _is_wanted(place, query, reader))
    org = (reader.org or "") if reader.is_partner else query.org
    if not places or (text and not search.words(text)) or query.org not in {None, org}:
        return None
    words = search.query(text, _tokens(query))
    key, claim_id = after or (None, None)
    how = _How(
        sort=query.sort,
        places=places,
        of_org=org is not None,
        among=among is not None,
        by_words=words is not None,
        sla=query.sla,
        due_before=query.due_before is not None,
        after=after is not None,
    )
    values: dict[str, object] = {
        "org": org,
        "among": list(among or ()),
        "words": words,
        "now": now,
        "due_before": query.due_before,
        "key": key,
        "claim_id": claim_id,
        "limit": query.limit + 1,
    }
    return _Asked(how, values, query.limit + 1)


def _is_wanted(place: _Place, query: ClaimQuery, reader: Actor) -> bool:
    """Whether claims in this place are asked for, and may be seen (R25)."""
    has_due_instant = query.sla in {Sla.MISSED, Sla.DUE_SOON} or query.due_before is not None
    return (
        may_read(reader, org=reader.org or "", status=place.status)
        and (place.clock is not None or not has_due_instant)
        and (not query.status or place.status in query.status)
        and (not query.whose_turn or place.turn in query.whose_turn)
        and (not query.clock or place.clock in query.clock)
    )


async def _list(
    connection: AsyncConnection, how: _How, values: Mapping[str, object]
) -> list[ClaimRow]:
    """The claims that are asked for, in their order."""
    listed = await _run(connection, _listed(how), values)
    return [decoded(claim) for (claim,) in listed]


async def _search(connection: AsyncConnection, asked: _Asked) -> list[ClaimRow]:
    """The claims that hold what is looked for by words and tokens, in the order of the list.

    What many claims hold soon fills a page as the list is gone through, piece by piece. After a
    piece in which hardly any was found, those that are few in all are found by their ids.
    PostgreSQL can't tell the one case from the other: it has no idea how many words begin with
    these letters, nor where in the list their claims are.
    """
    how, values = asked.how, dict(asked.values)
    rows: list[ClaimRow] = []
    piece, knows = _PIECE, False
    while True:
        wanted = asked.limit - len(rows)
        begun = await _run(connection, _begun(how), values | {"piece": piece, "limit": wanted})
        found = [decoded(claim) for claim, is_found, _ in begun if is_found]
        rows += found
        if len(found) == wanted or not begun or begun[-1][-1] < piece:
            return rows
        if not knows and len(found) < asked.limit * _HARDLY:
            ids = await _few(connection, asked)
            if ids is not None:
                few = asked.how._replace(among=True, by_words=False)
                return await _list(connection, few, asked.values | {"among": ids})
            knows = True
        last = decoded(begun[-1][0])
        values |= {"key": _instant_of(how.sort, last), "claim_id": last.claim_id}
        how = how._replace(after=True)
        piece *= 2


async def _few(connection: AsyncConnection, asked: _Asked) -> list[UUID] | None:
    """The claims that hold what is looked for, whoever may see them; None when they are many."""
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        found = await _run(connection, _MATCHING, asked.values)
    return [claim_id for (claim_id,) in found] if len(found) <= _FEW else None


@lru_cache(maxsize=1024)
def _listed(how: _How) -> SQLCompiler:
    """A page of a list, as the claims' JSON."""
    listed = _ordered(how, _LIMIT).subquery()
    return _compiled(
        select(listed.c.claim.cast(Text)).order_by(*_order(how, listed.c.key, listed.c.claim_id))
    )


@lru_cache(maxsize=1024)
def _begun(how: _How) -> SQLCompiler:
    """A page of a search in a piece of the list: JSON, whether it is found, and its number there.

    While the page is not full, the last one of the piece is there, too, found or not.
    """
    piece = _ordered(how._replace(by_words=False), _LENGTH).subquery()
    number = func.row_number().over(order_by=_order(how, piece.c.key, piece.c.claim_id))
    numbered = select(piece, number.label("number")).subquery()
    is_found = _has_words(numbered.c.claim_id)
    return _compiled(
        select(numbered.c.claim.cast(Text), is_found, numbered.c.number)
        .where(or_(numbered.c.number == _LENGTH, is_found))
        .order_by(*_order(how, numbered.c.key, numbered.c.claim_id))
        .limit(_LIMIT)
    )


def _ordered(how: _How, limit: ColumnElement[int]) -> _Statement:
    """So many claims in their order: key, id and JSON.

    PostgreSQL merges the places' orders and reads no further than it must. The claims of an
    organisation, or of some ids, are few: they are sorted.
    """
    key, claim_id = _key(how), claim_board.c.claim_id
    claims = select(key.label("key"), claim_id, claim_board.c.claim).where(*_conditions(how))
    if how.of_org or how.among:
        branches = [claims.where(place.in_(how.places))]
    else:
        branches = [claims.where(place == each) for each in how.places]
    if how.sla is Sla.MISSED:
        early = claims.where(place.in_(how.places), claim_board.c.passed, due_or_never > _NOW)
        branches = [*(each.where(due_or_never <= _NOW) for each in branches), early]
    ordered = (each.order_by(*_order(how, key, claim_id)).limit(limit) for each in branches)
    merged = union_all(*(select(each.subquery()) for each in ordered)).subquery()
    return select(merged).order_by(*_order(how, merged.c.key, merged.c.claim_id)).limit(limit)


def _key(how: _How) -> ColumnElement[Any]:
    """What is sorted by."""
    by = how.sort.lstrip("-")
    if how.among or (how.of_org and by != "updated_at"):
        # No index has this order: rather sort these claims than walk past all others'.
        return _KEYS[by] + timedelta(0)
    return _KEYS[by]


def _order(how: _How, *columns: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    return [column.desc() for column in columns] if how.sort.startswith("-") else columns


def _conditions(how: _How) -> list[ColumnElement[bool]]:
    """Of the claims that are asked for, but where they stand, and that they missed their target."""
    board = claim_board.c
    conditions: list[ColumnElement[bool]] = []
    if how.of_org:
        conditions.append(board.org == bindparam("org", None, Text))
    if how.among:
        conditions.append(board.claim_id == any_(bindparam("among", None, ARRAY(Uuid))))
    if how.by_words:
        conditions.append(_has_words(board.claim_id))
    if how.sla is Sla.OK:  # due later, as what is due soon later is: where a walk begins
        conditions += [not_(board.passed), soon_or_never > _NOW, due_or_never > _NOW]
    if how.sla is Sla.DUE_SOON:
        conditions += [not_(board.passed), soon_or_never <= _NOW, due_or_never > _NOW]
    if how.due_before:
        conditions.append(due_or_never < bindparam("due_before", None, board.due_at.type))
    if how.after:
        order = tuple_(_key(how), board.claim_id)
        after = tuple_(
            bindparam("key", None, Text).cast(board.due_at.type), bindparam("claim_id", None, Uuid)
        )
        conditions.append(order < after if how.sort.startswith("-") else order > after)
    return conditions


def _has_words(claim_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a claim has what is looked for; as a subquery, claim by claim."""
    return (
        select(claim_words.c.words.bool_op("@@")(_WORDS))
        .where(claim_words.c.claim_id == claim_id)
        .scalar_subquery()
    )


def _tokens(query: ClaimQuery) -> list[str]:
    wanted = {
        "product": query.product,
        "tenant": query.tenant_id,
        "subscription": query.subscription_id,
    }
    return [search.exact(kind, str(each)) for kind, each in wanted.items() if each is not None]


@lru_cache(maxsize=1024)
def _summary(reader: Actor) -> SQLCompiler:
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
    return select(
        func.count().filter(board.due_at <= _NOW).label("overdue"),
        func.count().filter(board.due_at > _NOW).label("soon"),
    ).where(
        *_visible(board.org, board.status, reader),
        board.due_soon_at.is_not(None),
        not_(board.passed),
        soon_or_never <= _NOW,
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
    place = [sort.value, _instant_of(sort, row), str(row.claim_id)]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _instant_of(sort: Sort, row: ClaimRow) -> str:
    """By which a row is sorted, as a cursor holds it."""
    instant: datetime | None = getattr(row, sort.lstrip("-"))
    return instant.isoformat() if instant else _NEVER


def _pointed(sort: Sort, cursor: str) -> tuple[str, UUID]:
    """Where a cursor points: an instant, or `infinity`, and an id. Raises Invalid."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        order, key, claim_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if key != _NEVER:
            key = datetime.fromisoformat(key).astimezone(UTC).isoformat()
        claim_id = UUID(claim_id)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise Invalid([FieldError("/after", "is not a cursor of this list")]) from error
    if order != sort:
        raise Invalid([FieldError("/after", f"is a cursor of the order {order}, not of {sort}")])
    return key, claim_id


def _compiled(statement: _Statement) -> SQLCompiler:
    return statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})


async def _run(
    connection: AsyncConnection, compiled: SQLCompiler, values: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """SQLAlchemy composes, psycopg runs: no second pool, no second way to wait."""
    cursor = await connection.execute(str(compiled).encode(), {**compiled.params, **values})
    return await cursor.fetchall()


_KEYS: Final[Mapping[str, ColumnElement[Any]]] = {
    "due_at": due_or_never,
    "updated_at": claim_board.c.updated_at,
    "created_at": claim_board.c.created_at,
}
_NOW: Final = bindparam("now", None, claim_board.c.due_at.type)
_LIMIT: Final = bindparam("limit", None, BigInteger)
_WORDS: Final = bindparam("words", None, Text).cast(TSQUERY)
_LENGTH: Final = bindparam("piece", None, BigInteger)
_MATCHING: Final = _compiled(
    select(claim_words.c.claim_id)
    .where(claim_words.c.words.bool_op("@@")(_WORDS))
    .limit(literal(_FEW + 1))
)

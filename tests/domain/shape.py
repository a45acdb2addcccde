"""The stored shape of every event, pinned in golden/events.json.

`python -m tests.domain.shape` pins what is new: fields and an example as it is stored. An example
that has been pinned stays there for ever, because history may hold its like.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.claim import ClaimEvent, Details
from domain.event import Cause, DomainEvent
from domain.vocabulary import ActionReason, Activity, RejectionReason, SolutionArea
from tests.domain import examples as x

GOLDEN = Path(__file__).parent / "golden" / "events.json"

HOW_TO_CHANGE = """\
Stored events are history: what has been written once must load for ever.
* A new field needs a default, so that older events load without it.
* A field is never renamed, removed or given another meaning. Where that is unavoidable, raise the
  event's SCHEMA_VERSION and add the step from the older version to UPCASTERS in domain/schema.py.
Then `python -m tests.domain.shape` pins the new shape beside the older examples."""

CAUSE = Cause(
    actor=x.PARTNER.actor,
    command_id="01J0-example",
    digest="keyed digest of the content",
    source="https://partner.example/portal",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)

EXAMPLES: tuple[ClaimEvent, ...] = (
    x.created(
        cause=CAUSE,
        solution_area=SolutionArea.BUSINESS_APPLICATIONS,
        activities=[Activity.PRESALES, Activity.USAGE],
        products=["power_bi"],
        subscription_ids=["sub-1"],
        supersedes=UUID("c1a10000-0000-4000-8000-000000000000"),
    ),
    x.edited(
        Details(
            name="Contoso reporting",
            mpn_id="1111111",
            customer=x.CONTOSO,
            solution_area=SolutionArea.MICROSOFT_365,
            activities=(Activity.USAGE,),
            products=("teams",),
            subscription_ids=(),
            customer_contact=x.CUSTOMER_CONTACT,
            partner_contact=x.PARTNER_CONTACT,
        )
    ),
    x.poe_attached(note="Signed on page 4."),
    x.submitted(policy=x.SEED.with_calendar("Europe/Istanbul", "TR").recorded(x.SUBMITTED_AT)),
    x.resubmitted(comment="The dates stand on page 2."),
    x.review_started(),
    x.reviewer_assigned(),
    x.action_required(reasons=[ActionReason.MISSING_PRODUCTS], products=["exchange"]),
    x.approved(note="Well documented."),
    x.rejected(),
    x.consent_declined(reason="Not our partner."),
    x.rejection_requested(),
    x.disputed(),
    x.dispute_upheld(),
    x.dispute_dismissed(
        reasons=[RejectionReason.INSUFFICIENT_POE, RejectionReason.NO_PARTNER_RESPONSE]
    ),
    x.commented(internal=True),
    x.assessment_recorded(note="Quarter 2"),
    x.review_start_overdue(),
    x.review_overdue(),
    x.dispute_result_overdue(),
    x.partner_response_expired(),
    x.consent_elapsed(),
    x.sent_for_assessment(),
    x.dispute_window_closed(),
)
"""One example of each event; the first also shows a whole cause."""

Pinned = dict[str, Any]
"""For each topic: `schema_version`, `fields` (path to type), `stored` (examples, oldest first)."""


def stored(event: DomainEvent) -> dict[str, Any]:
    """The event as it is stored."""
    return {
        "schema_version": event.SCHEMA_VERSION,
        **event.model_dump(mode="json", exclude_none=True),
    }


def fields(event: type[DomainEvent]) -> dict[str, str]:
    """Every path into the stored event, with the type of what stands there."""
    schema = event.model_json_schema(mode="serialization")
    found = dict(_outline(schema, "", schema.get("$defs", {})))
    return {path.removeprefix("."): type_ for path, type_ in found.items() if path}


def _outline(
    schema: dict[str, Any], path: str, defs: dict[str, Any], suffix: str = ""
) -> Iterator[tuple[str, str]]:
    kinds = [
        defs[kind["$ref"].removeprefix("#/$defs/")] if "$ref" in kind else kind
        for kind in schema.get("anyOf", [schema])
    ]
    yield path, " or ".join(map(_type, kinds)) + suffix
    for kind in kinds:
        for name, part in kind.get("properties", {}).items():
            optional = "" if name in kind.get("required", ()) else ", optional"
            default = f", default {json.dumps(part['default'])}" if part.get("default") else ""
            yield from _outline(part, f"{path}.{name}", defs, optional + default)
        if "items" in kind:
            yield from _outline(kind["items"], f"{path}[]", defs)
        if "propertyNames" in kind:
            yield from _outline(kind["propertyNames"], f"{path}{{name}}", defs)
            yield from _outline(kind["additionalProperties"], f"{path}{{}}", defs)


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(schema["enum"])
    limits = (
        f" {name}={value}"
        for name, value in sorted(schema.items())
        if name in {"format", "pattern", "minimum", "maximum", "minItems", "maxItems"}
    )
    return f"{schema['type']}{''.join(limits)}"


def shapes() -> Pinned:
    """What today's code stores, an example of each event included."""
    return {
        example.TOPIC: {
            "schema_version": example.SCHEMA_VERSION,
            "fields": fields(type(example)),
            "stored": [stored(example)],
        }
        for example in sorted(EXAMPLES, key=lambda example: example.TOPIC)
    }


def pinned() -> Pinned:
    """What was pinned."""
    content: Pinned = json.loads(GOLDEN.read_text("utf-8"))
    return content


def differences(before: Pinned, now: Pinned) -> list[str]:
    """What has changed about the stored shapes, a sentence each."""
    return [
        sentence
        for topic in sorted(before.keys() | now.keys())
        for sentence in _differences(topic, before.get(topic), now.get(topic))
    ]


def _differences(
    topic: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> Iterator[str]:
    if now is None:
        yield f"{topic} is gone, but history holds such events"
        return
    if before is None:
        yield f"{topic} is new and not pinned yet"
        return
    versions = before["schema_version"], now["schema_version"]
    if versions[0] != versions[1]:
        yield f"{topic} had schema version {versions[0]} and has {versions[1]}"
    was, is_ = before["fields"], now["fields"]
    for path in sorted(was.keys() | is_.keys()):
        if path not in is_:
            yield f"{topic}: {path} is gone or renamed"
        elif path not in was:
            yield f"{topic}: {path} is new ({is_[path]})"
        elif was[path] != is_[path]:
            yield f"{topic}: {path} was ({was[path]}) and is ({is_[path]})"


def pinned_anew(before: Pinned, now: Pinned) -> Pinned:
    """Today's shapes, with every example that was ever pinned, oldest first."""
    anew = dict(before)
    for topic, shape in now.items():
        kept: list[dict[str, Any]] = before[topic]["stored"] if topic in before else []
        changed = list(_differences(topic, before.get(topic), shape))
        anew[topic] = shape | {"stored": kept + (shape["stored"] if changed else [])}
    return dict(sorted(anew.items()))


def main() -> None:
    """Pin today's shapes."""
    before = pinned() if GOLDEN.exists() else {}
    text = json.dumps(pinned_anew(before, shapes()), indent=2, ensure_ascii=False)
    GOLDEN.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()

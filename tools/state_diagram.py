"""Writes docs/lifecycle.md: a claim's lifecycle, drawn from decisions that are really made.

`python -m tools.state_diagram` rewrites the file; with `--check` it exits 1 when the file is stale.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain.access import SENDERS
from domain.actor import PARTNER_ROLES, Actor
from domain.catalogue import Catalogue
from domain.claim import Claim
from domain.command import COMMANDS
from domain.event import Cause
from domain.lifecycle import LIFECYCLE, RULES, Phase
from domain.policy import Policy
from domain.refusal import Refusal
from services.claims.router import Terms, decide

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "docs" / "lifecycle.md"
TERMS: Final = Terms(
    Policy.from_toml((ROOT / "policies" / "seed-2021.toml").read_text("utf-8")),
    Catalogue.from_toml((ROOT / "policies" / "catalogue.toml").read_text("utf-8")),
    key=b"",
)
CLAIM_ID: Final = UUID(int=1)
ORG: Final = "1234567"
START: Final = datetime(2021, 5, 4, 9, tzinfo=UTC)


def _document(number: int) -> dict[str, Any]:
    digest = f"sha256:{number:064x}"
    return {"digest": digest, "filename": "sow.pdf", "media_type": "application/pdf", "size": 1}


DATA: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_claim": {
        "name": "Contoso",
        "mpn_id": ORG,
        "customer": {"name": "Contoso", "domain": "contoso.example", "tenant_id": CLAIM_ID},
        "solution_area": "microsoft_365",
        "activities": ["usage"],
        "products": ["teams"],
        "customer_contact": {"name": "Ada", "title": "CIO", "email": "ada@contoso.example"},
        "partner_contact": {"name": "Can", "email": "can@partner.example"},
    },
    "edit_claim": {"mpn_id": "7654321"},
    "attach_poe": {"document": _document(2)},
    "submit_claim": {},
    "start_review": {},
    "assign_reviewer": {"reviewer": "selin"},
    "require_action": {"reasons": ["missing_all_poe"], "comment": "Please attach it."},
    "resubmit_claim": {},
    "approve_claim": {},
    "reject_claim": {"reasons": ["insufficient_poe"], "note": "It says nothing."},
    "decline_consent": {},
    "request_rejection": {"explanation": "Wrong MPN id."},
    "open_dispute": {"justification": "See page 3."},
    "uphold_dispute": {"note": "So it is."},
    "dismiss_dispute": {"note": "Nothing there."},
    "post_comment": {"text": "Which page?"},
    "record_assessment": {"programme": "osu", "result": "eligible"},
}
"""Data with which each command succeeds where it is possible; a deadline's is that of its clock."""

TITLES: Final[Mapping[Phase, str]] = {
    Phase.EDITING: "editing",
    Phase.SUBMITTED: "submitted",
    Phase.UNDER_REVIEW: "under_review",
    Phase.ACTION_REQUIRED: "partner_action_required",
    Phase.ACTION_REQUIRED_IN_DISPUTE: "partner_action_required, dispute open",
    Phase.CONSENT_PENDING: "approved, consent pending",
    Phase.CONSENT_ELAPSED: "approved, consent elapsed",
    Phase.DISPUTABLE: "rejected, dispute window open",
    Phase.DISPUTED: "rejected, dispute open",
    Phase.FINAL: "rejected, final",
}
"""A phase as the page calls it: the public status, and what tells it from its like."""


class Step(NamedTuple):
    """A decision that was made: in which phase, on which command, into which phase."""

    source: Phase
    command: str
    target: Phase


def explore() -> list[Step]:
    """Try every command in every phase that can be reached; the steps that were accepted."""
    created = _after(None, "create_claim")
    drafted = _after(created, "attach_poe", document=_document(1))
    if drafted is None:
        raise ValueError("a claim can't be created any more with the data of this tool")
    found, known = [drafted], {drafted.phase}
    steps: list[Step] = []
    for claim in found:
        for command in COMMANDS:
            later = None if command == "create_claim" else _after(claim, command)
            if later is None:
                continue
            steps.append(Step(claim.phase, command, later.phase))
            if later.phase not in known:
                known.add(later.phase)
                found.append(later)
    return steps


def _after(claim: Claim | None, command: str, **data: Any) -> Claim | None:  # noqa: ANN401 - JSON
    """A copy of the claim after the command; None when it refuses."""
    now = claim.modified_on if claim else START
    stated = {**DATA.get(command, {}), **data}
    if command == "pass_deadline":
        if claim is None or claim.clock is None:
            return None
        now = claim.clock.due_at
        stated = {"clock": claim.clock.clock, "due_at": now}
    role = min(SENDERS[command])
    # Each command comes from somebody else: who decides a dispute must not be who rejected (R12).
    actor = Actor(role=role, org=ORG if role in PARTNER_ROLES else None, id=command)
    try:
        later, _ = decide(
            COMMANDS[command].model_validate(stated),
            deepcopy(claim),
            claim_id=CLAIM_ID,
            others={},
            terms=TERMS,
            cause=Cause(actor=actor, command_id=command),
            now=now,
        )
    except Refusal:
        return None
    return later


def render() -> str:
    """The whole page."""
    steps = explore()
    return f"""\
# The lifecycle of a claim

Generated by `python -m tools.state_diagram`; do not edit. Every arrow is a decision that the code
really made: the tool leads a claim into each phase and tries every command there, and lets the open
clock pass.

A phase is the public status together with what stands beside it. The diagram shows what leads from
one phase to another; the tables say what else is possible in each.

```mermaid
{_diagram(steps)}
```

## Whose turn it is, and what time does

{_phases(steps)}

A missed target is recorded once, for the dashboard and for escalation; it changes nothing else.

## What is possible where

{_commands()}

`create_claim` begins a claim, which may supersede a rejected one (R13). After submission the
claim's policy may allow `edit_claim` in fewer phases (R21). Everything else is refused as
`not_possible`, but what comes after its period has passed as `too_late`.
"""


def _diagram(steps: Sequence[Step]) -> str:
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{TITLES[phase]}" as {phase}' for phase in Phase]
    lines += [f"    [*] --> {Phase.EDITING}: create_claim"]
    moves = [step for step in steps if step.source is not step.target]
    order = list(Phase)
    moves.sort(key=lambda step: (order.index(step.source), order.index(step.target)))
    for (source, target), group in groupby(moves, key=lambda step: (step.source, step.target)):
        labels = [_label(step) for step in group]
        lines.append(f"    {source} --> {target}: {'<br/>'.join(labels)}")
    left = {step.source for step in moves}
    lines += [f"    {phase} --> [*]" for phase in Phase if phase not in left]
    return "\n".join(lines)


def _label(step: Step) -> str:
    if step.command != "pass_deadline":
        return step.command
    return f"{LIFECYCLE[step.source].clock} passes"


def _phases(steps: Sequence[Step]) -> str:
    passing = {step.source: step.target for step in steps if step.command == "pass_deadline"}
    lines = ["| phase | whose turn | open clock | when it passes |", "|---|---|---|---|"]
    for phase, row in LIFECYCLE.items():
        clock = f"`{row.clock}`" if row.clock else "–"
        target = passing.get(phase)
        effect = "–" if target is None else "target missed" if target is phase else TITLES[target]
        lines.append(f"| {TITLES[phase]} | {row.turn} | {clock} | {effect} |")
    return "\n".join(lines)


def _commands() -> str:
    titles = [TITLES[phase].replace(", ", ",<br/>") for phase in LIFECYCLE]
    lines = [
        f"| command | rule | {' | '.join(titles)} |",
        f"|---|---|{':-:|' * len(titles)}",
    ]
    for command in COMMANDS:
        if not any(command in row.possible for row in LIFECYCLE.values()):
            continue
        cells = ["✓" if command in row.possible else " " for row in LIFECYCLE.values()]
        lines.append(f"| `{command}` | {RULES[command]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def is_stale(file: Path = FILE) -> bool:
    """Whether the file is not what the code says now."""
    return not file.exists() or file.read_text("utf-8") != render()


def write(file: Path = FILE) -> None:
    """Write the page."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(render(), "utf-8")


def main() -> int:
    """Write the page, or with `--check` only say whether it is stale."""
    parser = argparse.ArgumentParser(prog="python -m tools.state_diagram", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is stale")
    if not parser.parse_args().check:
        write()
    elif is_stale():
        print(f"{FILE.relative_to(ROOT)} is stale: run python -m tools.state_diagram")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a person fills in becomes the data of a command."""

from typing import Any

import pytest
from starlette.datastructures import FormData

from domain.command import COMMANDS
from services.web.page.form import command_data
from tests.claims.orders import CREATE


def test_a_whole_claim_can_be_stated_by_a_form() -> None:
    """Parts by dots, several values by several fields or by lines."""
    form = FormData(
        [
            *((name, CREATE[name]) for name in ("name", "mpn_id", "solution_area")),
            *((f"customer.{name}", text) for name, text in CREATE["customer"].items()),
            *(("activities", each) for each in CREATE["activities"]),
            ("products", "\r\n".join(CREATE["products"])),
            ("subscription_ids", ""),
            *((f"customer_contact.{n}", text) for n, text in CREATE["customer_contact"].items()),
            *((f"partner_contact.{n}", text) for n, text in CREATE["partner_contact"].items()),
        ]
    )

    data = command_data("create_claim", form)

    made = COMMANDS["create_claim"].model_validate(data)
    assert made == COMMANDS["create_claim"].model_validate(CREATE)


@pytest.mark.parametrize(
    ("command", "fields", "data"),
    [
        ("submit_claim", [], {}),
        ("require_action", [("comment", "")], {"comment": ""}),
        ("require_action", [("reasons", ""), ("comment", "x")], {"reasons": [], "comment": "x"}),
        (
            "reject_claim",
            [("reasons", "insufficient_poe"), ("reasons", "poe_unavailable"), ("note", "a\r\nb")],
            {"reasons": ["insufficient_poe", "poe_unavailable"], "note": "a\nb"},
        ),
        ("approve_claim", [("note", "")], {}),
        (
            "post_comment",
            [("text", "hello"), ("internal", "on")],
            {"text": "hello", "internal": True},
        ),
        ("post_comment", [("text", "hello"), ("unknown", "x")], {"text": "hello"}),
        ("edit_claim", [("mpn_id", "7")], {"mpn_id": "7"}),
    ],
)
def test_forms_state_what_commands_need(
    command: str, fields: list[tuple[str, Any]], data: dict[str, Any]
) -> None:
    """Optional and empty: left out. Required and empty: left for the refusal to name."""
    assert command_data(command, FormData(fields)) == data

"""Every rule of the domain is exercised by a test that names it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
AGREED = TESTS.parents[1] / "shared" / "domain.md"

RULES: tuple[str, ...] = (
    *(f"R{number}" for number in range(1, 15)),
    *(f"R15{clock}" for clock in "abcdefg"),
    *(f"R{number}" for number in range(16, 31)),
)
"""The rules by their numbers, which never change."""


def marks(source: str, mark: str) -> Iterator[str]:
    """The words of every `pytest.mark.<mark>(…)` in a test file."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark"), attr=attr
                )
            ) if attr == mark:
                for argument in node.args:
                    yield str(ast.literal_eval(argument))
            case _:
                pass


def named_rules() -> set[str]:
    """All rules that tests name."""
    return {
        rule for file in TESTS.rglob("test_*.py") for rule in marks(file.read_text("utf-8"), "rule")
    }


def stated_rules(text: str) -> list[str]:
    """The numbers of the rules in the domain's description: at the beginning of a line or row."""
    return re.findall(r"^(?:\| )?(R\d+[a-g]?)\b", text, re.MULTILINE)


def test_the_list_of_rules_is_that_of_the_domain() -> None:
    """Where the domain's description is at hand, it has the rules of the list above, each once."""
    if AGREED.exists():
        assert sorted(stated_rules(AGREED.read_text("utf-8"))) == sorted(RULES)


def test_every_rule_is_exercised() -> None:
    """At least one test names it."""
    missing = set(RULES) - named_rules()

    assert not missing, f"no test is marked with {', '.join(sorted(missing))}"


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    """A mistyped number would exercise nothing; R15 alone is the table of all clocks."""
    unknown = named_rules() - set(RULES) - {"R15"}

    assert not unknown, f"there is no rule {', '.join(sorted(unknown))}"


def test_marks_are_found_wherever_pytest_takes_them() -> None:
    """On functions and classes, in parameters, and for a whole file."""
    source = """
import pytest
pytestmark = [pytest.mark.rule("R1"), pytest.mark.fault(1)]
@pytest.mark.rule("R2")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rule("R3"))])
async def test(x): ...
@pytest.mark.rule("R4", "R5")
class Tests:
    '''pytest.mark.rule("R6") in words is no mark.'''
"""

    assert sorted(marks(source, "rule")) == ["R1", "R2", "R3", "R4", "R5"]
    assert list(marks(source, "fault")) == ["1"]


def test_rules_are_found_in_paragraphs_and_tables() -> None:
    """A reference in the middle of a line states nothing."""
    text = (
        "R1  Create (R13).\n| R15a `x` | y |\nR15g Target, as R16.\n    | role | R25 |\nR25 | role"
    )

    assert stated_rules(text) == ["R1", "R15a", "R15g", "R25"]

"""docs/benchmarks.md and its chart are what the generator makes of the committed results."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks import page
from benchmarks.bench import Results
from benchmarks.chart import Bar, chart
from benchmarks.summary import DASHBOARD, TARGETS, Finding, Target, figure, findings, shown

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results() -> Results:
    """The results of the last whole run."""
    return page.load()


def test_the_page_is_up_to_date(results: Results) -> None:
    """What stands there was measured: `python -m benchmarks.page` writes it."""
    assert page.PAGE.read_text("utf-8") == page.page(results)
    assert page.CHART.read_text("utf-8") == page.drawn(results)


def test_the_last_run_was_a_whole_one(results: Results) -> None:
    """Each target has its figure, those of a stage that is newer than the run excepted."""
    measured = [each for each in TARGETS if "dashboard" in results or each not in DASHBOARD]

    assert [finding.target for finding in findings(results)] == measured


def test_what_is_missed_is_called_missed(results: Results) -> None:
    """The page says of each target what was measured."""
    text = page.page(results)

    for finding in findings(results):
        verdict = "met" if finding.met else "missed"
        assert f"| {finding.target.what} | {finding.bound} | {finding.shown} | {verdict} |" in text


def test_a_peer_that_was_left_out_is_named(results: Results) -> None:
    """With the sentence that says why, and without a bar."""
    sentence = "Emmett is left out: node and npm are not installed."
    without = {**results, "interval": results["interval"] | {"emmett": {"left_out": sentence}}}

    assert f"* {sentence}" in page.page(without)
    assert "Emmett" not in page.drawn(without)


@pytest.mark.parametrize(
    ("value", "more", "met"),
    [(2.0, True, True), (1.9, True, False), (1.9, False, True), (2.0, False, False)],
)
def test_a_bound_belongs_to_one_side(value: float, more: bool, met: bool) -> None:  # noqa: FBT001 - cases
    """At least it, or less than it."""
    target = Target("", figure("stage", "part", "figure"), 2.0, more=more)

    assert Finding(target, value).met is met


def test_parts_have_the_findings_of_what_was_measured() -> None:
    """A target without its measurement is left out."""
    some = {"growth": {"growth": {"many_rate": 90.0, "few_rate": 100.0}}}

    assert [finding.value for finding in findings(some)] == [0.9]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.256, "0.26 s"), (12.34, "12.3 s"), (1234.5, "1,234 s"), (5.0, "5 s"), (0.0, "0 s")],
)
def test_numbers_have_the_digits_that_they_deserve(value: float, text: str) -> None:
    """Three that count, about."""
    assert shown(value, "s") == text


def test_the_chart_has_a_bar_for_each_and_the_longest_first() -> None:
    """Lengths are proportional; ours are told apart; what it shows is told in words, too."""
    drawn = ET.fromstring(  # noqa: S314 - our own
        chart("Speed", [Bar("slow & sure", 100, ours=False), Bar("fast", 400, ours=True)])
    )
    bars = [each for each in drawn.iter(f"{NAMESPACE}rect") if each.get("class") != "page"]
    labels = [each.text for each in drawn.iter(f"{NAMESPACE}text") if each.get("class") == "label"]

    assert labels == ["fast", "slow & sure"]
    assert [bar.get("class") for bar in bars] == ["ours", "other"]
    assert float(bars[0].get("width", 0)) / float(bars[1].get("width", 1)) == pytest.approx(
        4, rel=0.02
    )
    assert drawn.findtext(f"{NAMESPACE}desc") == "fast 400; slow & sure 100"


def test_the_chart_is_readable_in_the_dark() -> None:
    """It has colours for dark pages, and each class of the light ones is among them."""
    light, _, dark = chart("", [Bar("", 1, ours=True)]).partition("prefers-color-scheme: dark")

    for name in ("page", "title", "label", "value", "ours", "other"):
        assert f".{name}" in light
        assert f".{name}" in dark

"""What is made of many measured values."""

import pytest

from benchmarks.statistic import middle_round, milliseconds, percentile

VALUES = [float(value) for value in range(100, 0, -1)]


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0), (0.0, 1.0)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """The smallest that this share of them does not exceed."""
    assert percentile(VALUES, share) == value


def test_the_percentile_of_one_value_is_that_value() -> None:
    """There is no other."""
    assert percentile([7.0], 0.99) == 7.0


def test_durations_are_shown_in_milliseconds() -> None:
    """With two digits."""
    assert milliseconds([0.001234, 0.1], 0.5) == 1.23


@pytest.mark.parametrize(
    ("rates", "middle"), [([3.0], 3.0), ([3.0, 1.0], 1.0), ([3.0, 1.0, 2.0], 2.0)]
)
def test_the_round_in_the_middle_counts(rates: list[float], middle: float) -> None:
    """With all that was measured in it; the rates of all are kept."""
    rounds = [{"rate": rate, "also": -rate} for rate in rates]

    assert middle_round(rounds) == {"rate": middle, "also": -middle, "rates": rates}

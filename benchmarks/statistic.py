"""What is made of many measured values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(seconds: Sequence[float], share: float) -> float:
    """A percentile of durations, in milliseconds."""
    return round(1000 * percentile(seconds, share), 2)


def middle_round(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The round with the median rate, the lower one of two; beside it, the rates of all rounds."""
    ordered = sorted(rounds, key=lambda each: float(each["rate"]))
    middle = ordered[(len(ordered) - 1) // 2]
    return {**middle, "rates": [each["rate"] for each in rounds]}

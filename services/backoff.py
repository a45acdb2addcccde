"""How long to wait before the next try."""

from secrets import SystemRandom

_DICE = SystemRandom()
_DOUBLINGS = 60
"""More than any wait needs, and far from what a float can't hold."""


class Backoff:
    """Waits that double from `first` to `longest` seconds.

    Each is shortened by up to a half, so that many who fail together don't return together.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._wait = first

    def next(self) -> float:
        """Seconds to wait now."""
        wait = self._wait
        self._wait = min(wait * 2, self._longest)
        return jittered(wait)

    def reset(self) -> None:
        """Begin with the shortest wait again: the last try went well."""
        self._wait = self._first


def doubled(first: float, longest: float, failures: int) -> float:
    """Seconds to wait after so many failures: twice as long each time, up to `longest`."""
    return min(first * 2.0 ** min(failures, _DOUBLINGS), longest)


def jittered(seconds: float) -> float:
    """Between a half and the whole of `seconds`."""
    return _DICE.uniform(seconds / 2, seconds)

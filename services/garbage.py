"""The garbage collector, set for what the services are made of."""

import gc

_AFTER = 50_000
"""Objects made, and not yet freed, before it looks at them."""


def collect_seldom() -> None:
    """Leave alone what is there by now, and collect seldom.

    Commands, events and pages are many small objects without cycles: to look at them again and
    again doubles the cost of reading an event.
    """
    gc.freeze()
    gc.set_threshold(_AFTER)

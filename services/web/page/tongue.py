"""How a claim's history is told to whoever visits a page."""

from functools import partial

from projections.sentence import Tongue
from services.web.page.moment import written
from services.web.page.name import name_of
from services.web.page.visit import Visit


def tongue_of(visit: Visit) -> Tongue:
    """In the visitor's language, with their names for things, in their time zone."""
    name = partial(name_of, visit)
    return Tongue(
        translate=visit.say, name=name, code=name, time=partial(written, taste=visit.taste)
    )

"""All pages but the sign-in, in the order in which their addresses are looked at."""

from services.web.page import (
    attach,
    claim,
    consent,
    edit,
    entrance,
    history,
    insight,
    new_claim,
    operations,
    proof,
    queue,
    review,
    taste,
)

PAGES = (
    entrance,
    taste,
    consent,
    queue,
    review,
    new_claim,  # before the claims: `new` is no claim's id
    claim,
    history,
    edit,
    attach,
    proof,
    insight,
    operations,
)

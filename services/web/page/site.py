"""All pages, in the order in which their addresses are looked at."""

from services.web.page import (
    attach,
    claim,
    consent,
    edit,
    history,
    new_claim,
    proof,
    queue,
    review,
    sign_in,
    taste,
)

PAGES = (
    sign_in,
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
)

"""All pages but the sign-in, in the order in which their addresses are looked at."""

from services.web.page import (
    attach,
    caught_mail,
    claim,
    claims,
    consent,
    dispute,
    edit,
    entrance,
    export,
    history,
    insight,
    new_claim,
    operations,
    preference,
    proof,
    queue,
    review,
    saved_view,
)

PAGES = (
    entrance,
    preference,
    consent,
    claims,
    saved_view,
    export,
    queue,
    review,
    new_claim,  # before the claims: `new` is no claim's id
    claim,
    history,
    edit,
    attach,
    dispute,
    proof,
    insight,
    operations,
    caught_mail,
)

"""What hardly ever changes: the product catalogue, the policy, the version."""

from importlib.metadata import version

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from domain.catalogue import Catalogue
from domain.policy import Policy
from services.web.backend import Served
from services.web.caller import authenticated
from services.web.schema import problems

VERSION = version("cpor")

router = APIRouter(
    prefix="/api",
    tags=["reference"],
    dependencies=[Depends(authenticated)],
    responses=problems(401),
)


class Version(BaseModel):
    """What is running."""

    name: str
    version: str
    policy: str
    clock: str


@router.get("/catalogue", summary="The product catalogue", operation_id="read_catalogue")
async def catalogue(backend: Served) -> Catalogue:
    """Every product that can, could or will be claimed."""
    return backend.catalogue


@router.get("/policy", summary="The policy profile", operation_id="read_policy")
async def policy(backend: Served) -> Policy:
    """The periods, calendar and texts for claims that are submitted from now on (R15, R17)."""
    return backend.policy


@router.get("/version", summary="The version", operation_id="read_version")
async def running(backend: Served) -> Version:
    """Which release runs, by which policy, on which clock."""
    return Version(
        name="cpor",
        version=VERSION,
        policy=backend.policy.name,
        clock=backend.settings.clock,
    )

"""What an agency sees of itself over HTTP."""

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.register.domain import Alg, Scope, State
from services.outreach.agencies.tenants import store
from services.outreach.agencies.tenants.tenancy import Agency, TenantConnection
from shared.http.problems import Problem


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OwnKey(_View):
    """A public key that its clients may sign with."""

    kid: str
    alg: Alg
    added_at: datetime


class OwnApiKey(_View):
    """An API key, by the part of it that may be known."""

    prefix: str
    scopes: list[Scope]
    expires_at: datetime


class OwnStanding(_View):
    """How an agency stands in the lender's register."""

    agency_id: str
    name: str
    state: State
    state_reason: str
    licence_number: str
    licence_until: date
    contract_number: str
    contract_from: date
    contract_until: date
    last_evaluation_on: date | None
    trained_until: date | None
    published: bool
    capacity: int = Field(description="How many cases it may hold at a time.")
    commission_ppm: list[int] = Field(description="Its share of payments in millionths, by tier; the first is tier 1.")
    scopes: list[Scope] = Field(description="What its machines may ask for.")
    complaints: int = Field(description="How many complaints about it were recorded.")
    keys: list[OwnKey]
    api_keys: list[OwnApiKey]


def add_routes(router: APIRouter) -> None:
    """Add what concerns the agency that asks."""
    router.add_api_route("/agency", read_own_standing, methods=["GET"])


async def read_own_standing(connection: TenantConnection, agency: Agency) -> OwnStanding:
    """How the calling agency stands: licence, contract, capacity, complaints, and which keys its machines have."""
    found = await store.own_standing(connection, agency.name)
    if found is None:
        raise Problem(404, "No such agency", "The register does not know an agency of this name.")
    keys = [OwnKey.model_validate(dict(each)) for each in await store.own_keys(connection, agency.name)]
    api_keys = [OwnApiKey.model_validate(dict(each)) for each in await store.own_api_keys(connection, agency.name)]
    return OwnStanding.model_validate({**found, "keys": keys, "api_keys": api_keys})

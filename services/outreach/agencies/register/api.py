"""The register of agencies over HTTP: staff read it, supervisors write it."""

from collections.abc import Mapping
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.access import api_keys
from services.outreach.agencies.register import store
from services.outreach.agencies.register.bodies import (
    NAME_PATTERN,
    PREFIX_PATTERN,
    AgencyId,
    ApiKeyBody,
    KeyBody,
    NewAgencyBody,
    ReasonBody,
    TermsBody,
)
from services.outreach.agencies.register.domain import Scope, State
from services.outreach.agencies.register.views import (
    AgencyEntryView,
    AgencyView,
    ApiKeyView,
    KeyView,
    WholeAgencyView,
)
from shared.http.auth import Principal, Role, require
from shared.http.commands import CommandDesk, Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import Instant
from shared.http.problems import Problem

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
KidInPath = Annotated[str, Path(pattern=NAME_PATTERN, description="The key's id.")]
Prefix = Annotated[str, Path(pattern=PREFIX_PATTERN, description="How the API key begins.")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AgencyAnswer(_Answer):
    """How an agency stands after what was asked."""

    agency_id: str
    state: State


class ComplaintAnswer(_Answer):
    """How many complaints about an agency there are by now."""

    agency_id: str
    complaints: int


class KeyAnswer(_Answer):
    """A key that was added or removed."""

    agency_id: str
    kid: str


class IssuedApiKey(_Answer):
    """An API key, whole: it is shown this once, and cannot be shown again."""

    agency_id: str
    prefix: str
    api_key: str = Field(description="To be shown as a bearer token. Nobody else has it.")
    scopes: list[Scope]
    expires_at: Instant


class RevokedApiKey(_Answer):
    """An API key that opens nothing any more."""

    agency_id: str
    prefix: str


def add_routes(router: APIRouter) -> None:
    """Add the register to the routes for staff."""
    of = "/agencies/{agency_id}"
    router.add_api_route("/agencies", list_agencies, methods=["GET"])
    router.add_api_route("/agencies", list_agency, methods=["POST"], status_code=201)
    router.add_api_route(of, read_agency, methods=["GET"])
    router.add_api_route(of, change_agency, methods=["PUT"])
    router.add_api_route(f"{of}/suspend", suspend_agency, methods=["POST"])
    router.add_api_route(f"{of}/resume", resume_agency, methods=["POST"])
    router.add_api_route(f"{of}/complaints", record_complaint, methods=["POST"], status_code=201)
    router.add_api_route(f"{of}/keys", add_key, methods=["POST"], status_code=201)
    router.add_api_route(f"{of}/keys/{{kid}}/remove", remove_key, methods=["POST"])
    router.add_api_route(f"{of}/api-keys", issue_api_key, methods=["POST"], status_code=201)
    router.add_api_route(f"{of}/api-keys/{{prefix}}/revoke", revoke_api_key, methods=["POST"])


async def list_agencies(connection: Connection) -> list[AgencyView]:
    """Every agency, by id."""
    return [AgencyView.model_validate(dict(row)) for row in await store.list_agencies(connection)]


async def read_agency(agency_id: AgencyId, connection: Connection) -> WholeAgencyView:
    """One agency with its keys, and all that was done with it."""
    found = await _found(connection, agency_id)
    parts = await store.of_agency(connection, agency_id)
    return WholeAgencyView(
        **AgencyView.model_validate(dict(found)).model_dump(),
        keys=[KeyView.model_validate(dict(row)) for row in parts["keys"]],
        api_keys=[ApiKeyView.model_validate(dict(row)) for row in parts["api_keys"]],
        entries=[AgencyEntryView.model_validate(dict(row)) for row in parts["entries"]],
    )


async def list_agency(body: NewAgencyBody, desk: Commands, key: IdempotencyKey, by: Supervisor) -> AgencyAnswer:
    """Take an agency into the register."""
    terms = body.model_dump(mode="json", exclude={"agency_id"})
    return await _listed(desk, key, by, body.agency_id, "list-agency", {"terms": terms})


async def change_agency(
    agency_id: AgencyId, body: TermsBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> AgencyAnswer:
    """Have an agency stand in the register with other terms, whole."""
    await _close_unless_unknown(connection, agency_id)
    return await _listed(desk, key, by, agency_id, "change-agency", {"terms": body.model_dump(mode="json")})


async def suspend_agency(
    agency_id: AgencyId, body: ReasonBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> AgencyAnswer:
    """Have an agency do nothing until it is resumed: its tokens and keys open nothing from now on."""
    await _close_unless_unknown(connection, agency_id)
    return await _listed(desk, key, by, agency_id, "suspend-agency", body.model_dump())


async def resume_agency(
    agency_id: AgencyId, body: ReasonBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> AgencyAnswer:
    """Let an agency work again."""
    await _close_unless_unknown(connection, agency_id)
    return await _listed(desk, key, by, agency_id, "resume-agency", body.model_dump())


async def record_complaint(
    agency_id: AgencyId, body: ReasonBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> ComplaintAnswer:
    """Record that somebody has complained about an agency."""
    await _close_unless_unknown(connection, agency_id)
    fact = await _submit(desk, key, by, agency_id, "record-complaint", body.model_dump())
    return ComplaintAnswer(agency_id=agency_id, complaints=fact["complaints"])


async def add_key(
    agency_id: AgencyId, body: KeyBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> KeyAnswer:
    """Let the agency's clients sign with another key; two at most, so that one can take the other's place."""
    await _close_unless_unknown(connection, agency_id)
    jwk = body.model_dump(exclude={"kid", "alg", "use"})
    try:
        jwt.PyJWK.from_dict(jwk, algorithm=body.alg)
    except jwt.PyJWTError:
        raise Problem(409, "Refused", "It is no public key of this curve.", field="x") from None
    await _submit(desk, key, by, agency_id, "add-agency-key", {"kid": body.kid, "alg": body.alg, "jwk": jwk})
    return KeyAnswer(agency_id=agency_id, kid=body.kid)


async def remove_key(
    agency_id: AgencyId,
    kid: KidInPath,
    body: ReasonBody,
    desk: Commands,
    key: IdempotencyKey,
    by: Supervisor,
    connection: Connection,
) -> KeyAnswer:
    """Have nothing count that is signed with a key, nor a token that was got with it."""
    await _close_unless_unknown(connection, agency_id)
    await _submit(desk, key, by, agency_id, "remove-agency-key", {"kid": kid, "reason": body.reason})
    return KeyAnswer(agency_id=agency_id, kid=kid)


async def issue_api_key(
    agency_id: AgencyId, body: ApiKeyBody, desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection
) -> IssuedApiKey:
    """Make an API key for a partner who cannot sign; it is shown this once.

    A repeat under the same Idempotency-Key is refused, since nobody kept what was shown: revoke it, and issue another.
    """
    await _close_unless_unknown(connection, agency_id)
    made, prefix = api_keys.made()
    asked = {**body.model_dump(mode="json"), "prefix": prefix, "sha256": api_keys.digest_of(made)}
    await _submit(desk, key, by, agency_id, "issue-api-key", asked)
    return IssuedApiKey(
        agency_id=agency_id, prefix=prefix, api_key=made, scopes=body.scopes, expires_at=body.expires_at
    )


async def revoke_api_key(
    agency_id: AgencyId,
    prefix: Prefix,
    body: ReasonBody,
    desk: Commands,
    key: IdempotencyKey,
    by: Supervisor,
    connection: Connection,
) -> RevokedApiKey:
    """Have an API key open nothing any more."""
    await _close_unless_unknown(connection, agency_id)
    await _submit(desk, key, by, agency_id, "revoke-api-key", {"prefix": prefix, "reason": body.reason})
    return RevokedApiKey(agency_id=agency_id, prefix=prefix)


async def _listed(
    desk: CommandDesk, key: str, by: Principal, agency_id: str, name: str, body: Mapping[str, Any]
) -> AgencyAnswer:
    fact = await _submit(desk, key, by, agency_id, name, body)
    return AgencyAnswer(agency_id=agency_id, state=fact["state"])


async def _submit(
    desk: CommandDesk, key: str, by: Principal, agency_id: str, name: str, body: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What the register told of a command, which is the same on every lane."""
    answer = await desk.submit(kind="register", number=0, owner=agency_id, name=name, body=body, key=key, principal=by)
    return dict(answer["facts"][0]["data"])


async def _found(connection: AsyncConnection, agency_id: str) -> Mapping[Any, Any]:
    """An agency of the register. Raises Problem 404."""
    found = await store.find_agency(connection, agency_id)
    if found is None:
        raise Problem(404, "No such agency", "The register has no agency of this id.", field="agency_id")
    return found


async def _close_unless_unknown(connection: AsyncConnection, agency_id: str) -> None:
    """Raise Problem 404 where there is no such agency; the connection goes back, since the desk waits on that pool."""
    try:
        await _found(connection, agency_id)
    finally:
        await connection.close()

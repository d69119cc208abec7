"""Where machines get tokens: OAuth 2.0 client credentials (RFC 6749) with a signed assertion (RFC 7523)."""

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.access import store
from services.outreach.agencies.access.assertions import NoClientError, claimed, proved
from services.outreach.agencies.access.machines import Machines
from services.outreach.agencies.access.tokens import LASTS, Shown
from services.outreach.agencies.register.domain import Scope
from shared.http.database import answering

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MOST_PARAMETERS: Final = 20

_TEXT: Mapping[str, Any] = {"type": "string"}
FORM: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {
                            **_TEXT,
                            "description": "A JWT signed with a key of the register: iss and sub are the agency's id, "
                            "aud this address, exp at most five minutes ahead, jti never used before.",
                        },
                        "client_id": {**_TEXT, "description": "The agency's id, where it is sent at all."},
                        "scope": {**_TEXT, "description": "What for, apart by blanks; all that it may where missing."},
                    },
                }
            }
        },
    }
}


class TokenAnswer(BaseModel):
    """A token, which is shown as a bearer token until it expires."""

    model_config = ConfigDict(extra="forbid")

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the word of the RFC
    expires_in: int = Field(description="Seconds.")
    scope: str


class TokenRefusal(BaseModel):
    """Why there is no token, by RFC 6749."""

    model_config = ConfigDict(extra="forbid")

    error: Literal[
        "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"
    ]
    error_description: str


class _RefusedError(Exception):
    def __init__(self, error: str, why: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.why, self.status = error, why, status


def routes() -> APIRouter:
    """The one route that needs no token, since it gives them."""
    router = APIRouter(prefix="/v1", tags=["agencies"])
    router.add_api_route(
        "/oauth/token",
        give_token,
        methods=["POST"],
        response_model=TokenAnswer,
        responses={400: {"model": TokenRefusal}, 401: {"model": TokenRefusal}},
        openapi_extra=dict(FORM),
    )
    return router


async def give_token(request: Request) -> Response:
    """Get a token for what the agency has signed; each assertion is good for one."""
    machines: Machines = request.app.state.machines
    try:
        answer = await _token(machines, request, _form(await request.body()))
    except _RefusedError as refused:
        content = TokenRefusal.model_validate({"error": refused.error, "error_description": refused.why})
        return JSONResponse(content.model_dump(), refused.status, headers={"Pragma": "no-cache"})
    return JSONResponse(answer.model_dump(), headers={"Pragma": "no-cache"})


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise _RefusedError("invalid_request", "the body is no form") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RefusedError("invalid_request", "a parameter is there twice")
    return dict(pairs)


async def _token(machines: Machines, request: Request, form: Mapping[str, str]) -> TokenAnswer:
    _check_form(form)
    now = machines.clock.now()
    try:
        client = claimed(form["client_assertion"])
        if form.get("client_id", client.agency_id) != client.agency_id:
            raise NoClientError("the client_id is another than the assertion's issuer")
        async with answering(), request.app.state.engine.begin() as connection:
            jwk = await store.key_of(connection, client)
            if jwk is None:
                raise NoClientError("that agency has no such key")
            once = proved(form["client_assertion"], jwk, client.alg, machines.audience, now)
            if not await store.use(connection, client.agency_id, once, now):
                raise NoClientError("the assertion was used before")
            stands = await store.standing_of(connection, client.agency_id, now.date(), client.kid)
    except NoClientError as error:
        raise _RefusedError("invalid_client", str(error), 401) from None
    shown = Shown(client.agency_id, _granted(stands, form.get("scope")), client.kid)
    return TokenAnswer(
        access_token=machines.signer.signed(shown, now),
        expires_in=int(LASTS.total_seconds()),
        scope=" ".join(sorted(shown.scopes)),
    )


def _check_form(form: Mapping[str, str]) -> None:
    for name in ("grant_type", "client_assertion_type", "client_assertion"):
        if name not in form:
            raise _RefusedError("invalid_request", f"{name} is missing")
    if form["grant_type"] != "client_credentials":
        raise _RefusedError("unsupported_grant_type", "the grant_type is client_credentials")
    if form["client_assertion_type"] != ASSERTION_TYPE:
        raise _RefusedError("invalid_request", f"the client_assertion_type is {ASSERTION_TYPE}")


def _granted(stands: store.Stands | None, asked: str | None) -> frozenset[str]:
    """The scopes of a token: those asked for, or all that the agency has."""
    if stands is None or stands.why_not:
        raise _RefusedError("unauthorized_client", stands.why_not if stands else "the agency is not in the register")
    wanted = frozenset((asked or "").split()) or stands.scopes
    if not wanted <= frozenset(map(str, Scope)):
        raise _RefusedError("invalid_scope", f"the scopes are {', '.join(Scope)}")
    if not wanted <= stands.scopes:
        raise _RefusedError("invalid_scope", "the agency may not do all of this")
    return wanted

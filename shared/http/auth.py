"""Who is calling, and whether they may: one dependency for every route."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.http.problems import Problem


class Role(StrEnum):
    """What a caller is to us."""

    CORE_BANK = "core_bank"
    AGENCY = "agency"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who has shown a token of ours; `scopes` is what it is good for, None for all that the role may do."""

    name: str
    role: Role
    scopes: frozenset[str] | None = None

    @property
    def actor(self) -> str:
        """The caller as the audit trail names them."""
        return f"{self.role}/{self.name}"


class Token(Protocol):
    """What the settings hold for each caller."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def token(self) -> str: ...


class Tokens:
    """The callers that are known, by the hash of their token; the tokens themselves are not kept."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._known = tuple((_digest(token.token), Principal(token.name, Role(token.role))) for token in tokens)

    def find(self, token: str) -> Principal | None:
        """The caller with that token; takes the same time whichever matches, or none."""
        shown, found = _digest(token), None
        for digest, principal in self._known:
            if hmac.compare_digest(digest, shown):
                found = principal
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Machines(Protocol):
    """Callers that the settings do not name: whose tokens a service has issued itself."""

    def named(self, token: str) -> str:
        """Whose token it is, without asking anybody; "" where that cannot be said so."""

    async def find(self, token: str, engine: AsyncEngine) -> Principal | None:
        """The caller with that token, None where there is none. Raises Problem 401 where it is good no more."""

    async def check(self, caller: Principal, engine: AsyncEngine) -> None:
        """Raise Problem 401 where a caller of the settings may not act now."""


_bearer = HTTPBearer(auto_error=False, description="A token from the settings of the service, or one that it issued.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def require(*roles: Role, scope: str = "") -> Callable[[Request, Credentials], Awaitable[Principal]]:
    """A dependency that lets only these roles pass (any known caller where none is named): else 401 or 403.

    scope: what the caller's token must be good for, besides.
    """

    async def principal(request: Request, credentials: Credentials) -> Principal:
        caller = await _caller(request, credentials)
        if roles and caller.role not in roles:
            raise Problem(403, "Not allowed", f"This needs one of the roles: {', '.join(roles)}.")
        if scope and caller.scopes is not None and scope not in caller.scopes:
            raise _out_of_scope(scope)
        return caller

    return principal


async def _caller(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Principal:
    """Who asks; found out once for a request, however many of its dependencies want to know."""
    if credentials is None:
        raise _unauthorised('Bearer realm="fairdue"', "Send a bearer token in the Authorization header.")
    found: Principal | None = getattr(request.state, "caller", None)
    if found is None:
        found = await _found(request, credentials.credentials)
        request.state.caller = found
    return found


async def _found(request: Request, token: str) -> Principal:
    state = request.app.state
    machines: Machines | None = getattr(state, "machines", None)
    known: Principal | None = state.tokens.find(token)
    if known is None and machines is not None:
        known = await machines.find(token, state.engine)
    elif known is not None and known.role is Role.AGENCY and machines is not None:
        await machines.check(known, state.engine)
    if known is None:
        raise not_authenticated("The bearer token is not known.")
    return known


def not_authenticated(detail: str) -> Problem:
    """That a token was shown which is not, or no more, good for anything."""
    return _unauthorised('Bearer realm="fairdue", error="invalid_token"', detail)


def _out_of_scope(scope: str) -> Problem:
    challenge = f'Bearer realm="fairdue", error="insufficient_scope", scope="{scope}"'
    return Problem(403, "Not allowed", f"This needs the scope {scope}.", headers={"WWW-Authenticate": challenge})


def _unauthorised(challenge: str, detail: str) -> Problem:
    return Problem(401, "Not authenticated", detail, field="Authorization", headers={"WWW-Authenticate": challenge})

"""Who is calling, and whether they may: one dependency for every route."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.http.problems import Problem


class Role(StrEnum):
    """What a caller is to us."""

    CORE_BANK = "core_bank"
    AGENCY = "agency"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who has shown a token of ours."""

    name: str
    role: Role

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


_bearer = HTTPBearer(auto_error=False, description="A token from the settings of the service.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def require(*roles: Role) -> Callable[[Request, Credentials], Principal]:
    """A dependency that lets only these roles pass (any known caller where none is named): else 401 or 403."""

    def principal(request: Request, credentials: Credentials) -> Principal:
        caller = _caller(request.app.state.tokens, credentials)
        if roles and caller.role not in roles:
            raise Problem(403, "Not allowed", f"This needs one of the roles: {', '.join(roles)}.")
        return caller

    return principal


def _caller(tokens: Tokens, credentials: HTTPAuthorizationCredentials | None) -> Principal:
    if credentials is None:
        raise _unauthorised('Bearer realm="fairdue"', "Send a bearer token in the Authorization header.")
    found = tokens.find(credentials.credentials)
    if found is None:
        raise _unauthorised('Bearer realm="fairdue", error="invalid_token"', "The bearer token is not known.")
    return found


def _unauthorised(challenge: str, detail: str) -> Problem:
    return Problem(401, "Not authenticated", detail, field="Authorization", headers={"WWW-Authenticate": challenge})

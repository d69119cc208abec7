"""What a client signs to say who it is (RFC 7523): its form, and whether it holds against a key of the register."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from services.outreach.agencies.access.tokens import by_our_clock
from services.outreach.agencies.register.domain import Alg

LONGEST = 8192
"""Characters."""

AHEAD = timedelta(minutes=5)
"""How long an assertion may be good for, and so how long its `jti` is kept."""

SKEW = timedelta(seconds=30)
"""By how much a client's clock may be ahead of ours."""

MOST_OF_A_NAME = 128


class NoClientError(Exception):
    """An assertion says nothing that could be believed; why, in words that carry nothing of it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who an assertion claims to be from, and with which key it claims to be signed; nothing of it is checked yet."""

    agency_id: str
    kid: str
    alg: Alg


@dataclass(frozen=True, slots=True)
class Proved:
    """An assertion that holds: its id, which is good once, and until when."""

    jti: str
    expires_at: datetime


def claimed(assertion: str) -> Claimed:
    """Read whose an assertion claims to be. Raises NoClientError."""
    if len(assertion) > LONGEST:
        raise NoClientError("the assertion is too long")
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except (jwt.PyJWTError, RecursionError):
        raise NoClientError("the assertion is no JWT") from None
    if header.get("alg") not in {each.value for each in Alg}:
        raise NoClientError("the assertion is signed in another way than EdDSA or ES256")
    return Claimed(_name(claims, "iss"), _name(header, "kid"), Alg(header["alg"]))


def proved(assertion: str, jwk: dict[str, str], alg: Alg, audience: str, now: datetime) -> Proved:
    """Check an assertion against the key that it names. Raises NoClientError."""
    try:
        claims = jwt.decode(
            assertion,
            jwt.PyJWK.from_dict(jwk, algorithm=alg),
            algorithms=[alg],
            audience=audience,
            options=by_our_clock(["iss", "sub", "aud", "exp", "jti"]),
        )
    except jwt.InvalidAudienceError:
        raise NoClientError("the assertion is for somebody else than the address of these tokens") from None
    except jwt.MissingRequiredClaimError as error:
        raise NoClientError(f"the assertion lacks {error.claim}") from None
    except jwt.PyJWTError:
        raise NoClientError("the assertion is not signed with that key") from None
    if claims["sub"] != claims["iss"]:
        raise NoClientError("the assertion has another subject than issuer")
    return Proved(_name(claims, "jti"), _expiry(claims, now))


def _expiry(claims: dict[str, Any], now: datetime) -> datetime:
    seconds = _instant(claims, "exp")
    if seconds <= now.timestamp():
        raise NoClientError("the assertion has expired")
    if seconds > (now + AHEAD).timestamp():
        raise NoClientError("the assertion is good for longer than five minutes")
    if any(_instant(claims, name) > (now + SKEW).timestamp() for name in ("iat", "nbf") if name in claims):
        raise NoClientError("the assertion is not good yet")
    return datetime.fromtimestamp(seconds, now.tzinfo)


def _instant(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NoClientError(f"the assertion's {name} is no number of seconds")
    return float(value)


def _name(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MOST_OF_A_NAME or "\x00" in value:
        raise NoClientError(f"the assertion lacks {name}, or it is no short text")
    return value

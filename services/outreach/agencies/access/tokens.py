"""Tokens of ours: signed with a key that follows from the installation's secret, good for ten minutes (RFC 9068)."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.types import Options

LASTS = timedelta(minutes=10)
TYPE = "at+jwt"
_CLAIMS = ["iss", "aud", "sub", "client_id", "exp", "iat", "jti", "scope", "tenant", "kid"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a token of ours says: whose it is, what for, and with which key it was asked for."""

    agency_id: str
    scopes: frozenset[str]
    kid: str


class TokenSigner:
    """Makes and reads tokens; whoever reads them needs to ask nobody.

    issuer: who we are, as the tokens say it, and whom they are for: ourselves.
    """

    def __init__(self, secret: bytes, issuer: str) -> None:
        """Derive a key of its own. `secret`: 32 random bytes."""
        self.issuer = issuer
        self._key = Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"fairdue/access-tokens", hashlib.sha256))
        self._public = self._key.public_key()

    def signed(self, shown: Shown, now: datetime) -> str:
        """A token that is good from now on."""
        begins = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": shown.agency_id,
            "client_id": shown.agency_id,
            "tenant": shown.agency_id,
            "scope": " ".join(sorted(shown.scopes)),
            "kid": shown.kid,
            "iat": begins,
            "exp": begins + int(LASTS.total_seconds()),
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": TYPE})

    def opened(self, token: str, now: datetime) -> Shown | None:
        """What a token says; None where it is not ours, or has expired."""
        try:
            if jwt.get_unverified_header(token).get("typ") != TYPE:
                return None
            claims = jwt.decode(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=self.issuer,
                issuer=self.issuer,
                options=by_our_clock(_CLAIMS),
            )
        except jwt.PyJWTError:
            return None
        if not claims["iat"] <= now.timestamp() < claims["exp"]:
            return None
        return Shown(claims["sub"], frozenset(claims["scope"].split()), claims["kid"])


def by_our_clock(required: list[str]) -> Options:
    """What the library is to check: not the times, for which it would ask the machine's clock; ours is an argument."""
    return {
        "require": required,
        "strict_aud": True,
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }

"""What the access of machines asks of the register, and the assertions that were used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.access.assertions import Claimed, Proved
from services.outreach.agencies.register.domain import Scope, why_not

# The house goes by its books' date; before any is known, by the calendar's.
_STANDING = text("""
    SELECT a.state, a.licence_until, a.contract_from, a.contract_until, a.scopes::text AS scopes,
        (SELECT max(business_date) FROM lane_clock WHERE kind = 'register') AS books,
        EXISTS (SELECT FROM agency_key k
                WHERE k.agency_id = a.agency_id AND k.kid = :kid AND k.removed_at IS NULL) AS signs
    FROM agency a WHERE a.agency_id = :agency_id
""")
_KEY = text("""
    SELECT jwk::text AS jwk FROM agency_key
    WHERE agency_id = :agency_id AND kid = :kid AND alg = :alg AND removed_at IS NULL
""")
_API_KEYS = text("""
    SELECT agency_id, sha256, scopes::text AS scopes FROM agency_api_key
    WHERE prefix = :prefix AND revoked_at IS NULL AND expires_at > :now
""")
_FORGET = text("DELETE FROM used_assertion WHERE expires_at <= :now")
_USE = text("""
    INSERT INTO used_assertion (agency_id, jti, expires_at) VALUES (:agency_id, :jti, :expires_at)
    ON CONFLICT DO NOTHING RETURNING jti
""")


@dataclass(frozen=True, slots=True)
class Stands:
    """How an agency stands now: why it may not work ("" where it may), what it may do, and whether that key is live."""

    why_not: str
    scopes: frozenset[str]
    signs: bool


async def standing_of(connection: AsyncConnection, agency_id: str, today: date, kid: str = "") -> Stands | None:
    """How an agency stands, None where the register does not have it."""
    found = (await connection.execute(_STANDING, {"agency_id": agency_id, "kid": kid})).first()
    if found is None:
        return None
    return Stands(why_not(found, found.books or today), scopes_in(found.scopes), found.signs)


async def key_of(connection: AsyncConnection, claimed: Claimed) -> dict[str, str] | None:
    """The public key that an agency is said to have signed with, None where it has no such key now."""
    asked = {"agency_id": claimed.agency_id, "kid": claimed.kid, "alg": claimed.alg}
    found = (await connection.execute(_KEY, asked)).scalar_one_or_none()
    return None if found is None else msgspec.json.decode(found, type=dict[str, str])


async def api_keys(connection: AsyncConnection, prefix: str, now: datetime) -> Sequence[Row[Any]]:
    """The live API keys that begin so; more than one only by an accident that nobody will see."""
    return (await connection.execute(_API_KEYS, {"prefix": prefix, "now": now})).all()


async def use(connection: AsyncConnection, agency_id: str, proved: Proved, now: datetime) -> bool:
    """Use an assertion up; False where it was used before. What has expired is forgotten."""
    await connection.execute(_FORGET, {"now": now})
    row = {"agency_id": agency_id, "jti": proved.jti, "expires_at": proved.expires_at}
    return (await connection.execute(_USE, row)).first() is not None


def scopes_in(stored: str) -> frozenset[str]:
    """Scopes as a row has them; one that is no more is left out."""
    return frozenset(msgspec.json.decode(stored, type=list[str])) & frozenset(map(str, Scope))

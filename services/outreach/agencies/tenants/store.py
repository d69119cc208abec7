"""What an agency may read of itself, in the words of a role that sees no more."""

from collections.abc import Sequence

from sqlalchemy import JSON, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_OWN = text("""
    SELECT agency_id, name, state, state_reason, licence_number, licence_until, contract_number, contract_from,
        contract_until, last_evaluation_on, trained_until, published, capacity, commission_ppm, scopes, complaints
    FROM agency WHERE agency_id = :agency_id
""").columns(commission_ppm=JSON, scopes=JSON)
_KEYS = text("""
    SELECT kid, alg, added_at FROM agency_key WHERE agency_id = :agency_id AND removed_at IS NULL ORDER BY added_at, kid
""")
_API_KEYS = text("""
    SELECT prefix, scopes, expires_at FROM agency_api_key
    WHERE agency_id = :agency_id AND revoked_at IS NULL ORDER BY issued_at, prefix
""").columns(scopes=JSON)


async def own_standing(connection: AsyncConnection, agency_id: str) -> RowMapping | None:
    """The agency as the register has it, None where it does not."""
    return (await connection.execute(_OWN, {"agency_id": agency_id})).mappings().first()


async def own_keys(connection: AsyncConnection, agency_id: str) -> Sequence[RowMapping]:
    """The keys that its clients may sign with."""
    return (await connection.execute(_KEYS, {"agency_id": agency_id})).mappings().all()


async def own_api_keys(connection: AsyncConnection, agency_id: str) -> Sequence[RowMapping]:
    """Its API keys that nobody has revoked."""
    return (await connection.execute(_API_KEYS, {"agency_id": agency_id})).mappings().all()

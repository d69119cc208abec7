"""The register of agencies: the tables in which it lies, and the queries of the routes."""

from collections.abc import Mapping, Sequence

from sqlalchemy import JSON, Executable, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.register.domain import Agency, AgencyFile, ApiKey, ClientKey, Entry
from shared.messaging.layout import Layout, Table

LAYOUT = Layout(
    AgencyFile,
    {
        "agency": Table("agency", Agency, walled=True),
        "keys": Table("agency_key", ClientKey, key=("kid",), walled=True),
        "api_keys": Table("agency_api_key", ApiKey, key=("prefix",), walled=True),
        "entries": Table("agency_entry", Entry, use="journal"),
    },
    owner="agency_id",
)

_COLUMNS = """agency_id, name, state, state_reason, licence_number, licence_until, contract_number, contract_from,
    contract_until, last_evaluation_on, trained_until, published, capacity, commission_ppm, scopes, complaints,
    listed_by, listed_at, changed_by, changed_at"""
_JSON = {"commission_ppm": JSON, "scopes": JSON}
_ALL = text(f"SELECT {_COLUMNS} FROM agency ORDER BY agency_id").columns(**_JSON)
_ONE = text(f"SELECT {_COLUMNS} FROM agency WHERE agency_id = :agency_id").columns(**_JSON)
_KEYS = text("""
    SELECT kid, alg, added_by, added_at, removed_by, removed_at FROM agency_key
    WHERE agency_id = :agency_id ORDER BY added_at, kid
""")
_API_KEYS = text("""
    SELECT prefix, scopes, expires_at, issued_by, issued_at, revoked_by, revoked_at FROM agency_api_key
    WHERE agency_id = :agency_id ORDER BY issued_at, prefix
""").columns(scopes=JSON)
_ENTRIES = text("SELECT step, actor, at, content FROM agency_entry WHERE agency_id = :agency_id ORDER BY id").columns(
    content=JSON
)


async def list_agencies(connection: AsyncConnection) -> Sequence[RowMapping]:
    """All agencies, by id."""
    return (await connection.execute(_ALL)).mappings().all()


async def find_agency(connection: AsyncConnection, agency_id: str) -> RowMapping | None:
    """One agency, None where the register does not have it."""
    return (await connection.execute(_ONE, {"agency_id": agency_id})).mappings().first()


async def of_agency(connection: AsyncConnection, agency_id: str) -> Mapping[str, Sequence[RowMapping]]:
    """The keys, API keys and entries of an agency, in order."""
    parts: Mapping[str, Executable] = {"keys": _KEYS, "api_keys": _API_KEYS, "entries": _ENTRIES}
    return {
        name: (await connection.execute(query, {"agency_id": agency_id})).mappings().all()
        for name, query in parts.items()
    }

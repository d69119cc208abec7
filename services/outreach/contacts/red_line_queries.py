"""Reads what the red lines are counted from: the ledger, the stops that were told, and the sandbox's own log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import msgspec

from services.outreach.contacts.red_lines import Entry, Sent, Stop, counted

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Debtors: TypeAlias = Sequence[str] | None
"""Whose rows are read; None for everybody's."""

LEDGER = """
SELECT contact_id, c.debtor_id, plan_number, step_number, idempotency_key AS key, state, coalesce(h.id, 0) AS "order",
       permitted_at, expires_at, channel, coalesce(jurisdiction, '') AS jurisdiction
FROM contact c LEFT JOIN debtor_guard USING (debtor_id)
LEFT JOIN history h ON h.debtor_id = c.debtor_id
    AND h.type IN ('outreach.contact-permitted.v1', 'outreach.permit-granted.v1')
    AND h.data->>'contact_id' = contact_id
"""
STOPS = "SELECT h.id, h.debtor_id, h.data FROM history h"
SENT = "SELECT key, permit_id, debtor_id, channel, taken_at FROM taken t"
IS_STOP = "h.type = 'outreach.plan-stopped.v1'"
GAPS = "SELECT count(*) FROM gap"
EXISTS = "SELECT to_regclass('taken') IS NOT NULL"

# Few contacts are ever exposed, each found by the ledger's key: what is read here does not grow with the ledger.
EXPOSED = """
SELECT count(DISTINCT (debtor_id, contact_id)) AS contacts,
       coalesce(max(extract(epoch FROM stopped_at - received_at) * 1000), 0)::bigint AS longest_ms
FROM contact_exposure JOIN contact USING (debtor_id, contact_id) WHERE state <> 'not_made'
"""


@dataclass(frozen=True, slots=True)
class Exposed:
    """How many contacts a payment came too late for, and how long the longest of these took to stop everything."""

    contacts: int
    longest_ms: int


async def red_lines(outreach: str, sandbox: str, zones: Mapping[str, str]) -> dict[str, int]:
    """Count them all in the databases of outreach and of the sandbox; `zones` are those of the jurisdictions."""
    connection = await asyncpg.connect(sandbox)
    try:
        sent = await read_sent(connection)
    finally:
        await connection.close()
    connection = await asyncpg.connect(outreach)
    try:
        crossed = counted(await read_ledger(connection, zones), sent, await read_stops(connection))
        return {**crossed, "lane_gaps_unrepaired": await connection.fetchval(GAPS)}
    finally:
        await connection.close()


async def exposed(outreach: str) -> Exposed:
    """Count exposure in the database of outreach."""
    connection = await asyncpg.connect(outreach)
    try:
        return await read_exposed(connection)
    finally:
        await connection.close()


async def read_sent(sandbox: Connection, debtors: Debtors = None) -> list[Sent]:
    """What the sandbox took. On a live system it is read before the ledger, which then has the permit of each."""
    if not await sandbox.fetchval(EXISTS):
        return []
    return [Sent(**row) for row in await _read(sandbox, SENT, "t", debtors)]


async def read_ledger(outreach: Connection, zones: Mapping[str, str], debtors: Debtors = None) -> list[Entry]:
    """What the ledger holds."""
    return [_entry(row, zones) for row in await _read(outreach, LEDGER, "c", debtors)]


async def read_stops(outreach: Connection, debtors: Debtors = None) -> list[Stop]:
    """Which plans were stopped."""
    return [_stop(row) for row in await _read(outreach, STOPS, "h", debtors, IS_STOP)]


async def read_exposed(outreach: Connection) -> Exposed:
    """Who was contacted before a payment was known."""
    [row] = await outreach.fetch(EXPOSED)
    return Exposed(**row)


async def _read(
    connection: Connection, query: str, table: str, debtors: Debtors, condition: str = "true"
) -> "Sequence[asyncpg.Record]":
    """All rows, or those of some debtors: two statements, since a plan for both would read the table whole."""
    if debtors is None:
        return await connection.fetch(f"{query} WHERE {condition}")
    return await connection.fetch(f"{query} WHERE {condition} AND {table}.debtor_id = ANY($1)", debtors)


def _entry(row: "asyncpg.Record", zones: Mapping[str, str]) -> Entry:
    content = dict(row)
    zone = zones.get(content.pop("jurisdiction"), "")
    return Entry(**content, zone=zone)


def _stop(row: "asyncpg.Record") -> Stop:
    return Stop(row["debtor_id"], msgspec.json.decode(row["data"])["plan_number"], row["id"])

"""Reads what the red lines are counted from: the ledger, the stops that were told, and the sandbox's log."""

from collections.abc import Mapping

import asyncpg
import msgspec

from services.outreach.contacts.red_lines import Entry, Sent, Stop, counted

LEDGER = """
SELECT contact_id, debtor_id, plan_number, step_number, idempotency_key AS key, state, h.id AS "order", permitted_at,
       expires_at, jurisdiction
FROM contact JOIN debtor_guard USING (debtor_id) JOIN history h USING (debtor_id)
WHERE h.type IN ('outreach.contact-permitted.v1', 'outreach.permit-granted.v1') AND h.data->>'contact_id' = contact_id
"""
STOPS = """
SELECT id, debtor_id, data FROM history WHERE type = 'outreach.plan-stopped.v1'
"""
SENT = "SELECT key, permit_id, debtor_id, channel, taken_at FROM taken"
GAPS = "SELECT count(*) FROM gap"
EXISTS = "SELECT to_regclass('taken') IS NOT NULL"


async def red_lines(outreach: str, sandbox: str, zones: Mapping[str, str]) -> dict[str, int]:
    """Count them in the databases of outreach and of the sandbox; `zones` are those of the jurisdictions."""
    connection = await asyncpg.connect(outreach)
    try:
        ledger = [_entry(row, zones) for row in await connection.fetch(LEDGER)]
        stops = [_stop(row) for row in await connection.fetch(STOPS)]
        gaps = await connection.fetchval(GAPS)
    finally:
        await connection.close()
    return {**counted(ledger, await _sent(sandbox), stops), "lane_gaps_unrepaired": gaps}


def _entry(row: "asyncpg.Record", zones: Mapping[str, str]) -> Entry:
    content = dict(row)
    zone = zones[content.pop("jurisdiction")]
    return Entry(**content, zone=zone)


def _stop(row: "asyncpg.Record") -> Stop:
    return Stop(row["debtor_id"], msgspec.json.decode(row["data"])["plan_number"], row["id"])


async def _sent(sandbox: str) -> list[Sent]:
    connection = await asyncpg.connect(sandbox)
    try:
        if not await connection.fetchval(EXISTS):
            return []
        return [Sent(**row) for row in await connection.fetch(SENT)]
    finally:
        await connection.close()

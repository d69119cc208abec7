"""What senders read and keep in outreach's own database: dossiers, letters, and the buckets of tokens."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import text

from services.outreach.contacts.ports import PutOffError
from services.outreach.sending.composing import Dossier
from services.outreach.sending.letters import KeptLetter
from services.outreach.sending.pacing import Grant
from shared.contracts.intake import SealedProfile
from shared.postgres.failures import DRIVER_ERRORS
from shared.postgres.sessions import left_as_it_is
from shared.profiles import HeldProfile

CONNECTIONS = 4
_AWAY = "our own database does not answer"
_AWAY_SECONDS = 15.0

# What is sent for no plan reminds of a promise: while that stands, the case is open, and no hold stands beside it.
_PROMISED = """g.status = 'open'
    AND EXISTS (SELECT FROM promise s WHERE s.debtor_id = g.debtor_id AND s.state = 'standing')
    AND NOT EXISTS (SELECT FROM hold h WHERE h.debtor_id = g.debtor_id AND NOT h.released)"""
DOSSIER = f"""
SELECT g.jurisdiction, g.past_due, g.currency, g.oldest_due_on,
       CASE WHEN $2 = 0 THEN {_PROMISED} ELSE coalesce(p.state = 'active', true) END AS running,
       f.lender_id, f.version, f.changed_at, f.sealed
FROM debtor_guard g
LEFT JOIN profile f USING (debtor_id)
LEFT JOIN plan p ON p.debtor_id = g.debtor_id AND p.plan_number = $2
WHERE g.debtor_id = $1
"""
# A payment, an ending and a hold stop the plan that a contact is for; what was heard of it meanwhile ends the contact.
STANDING = f"""
SELECT contact_id FROM unnest($1::text[], $2::text[]) AS asked (debtor_id, contact_id)
JOIN contact c USING (debtor_id, contact_id)
JOIN debtor_guard g USING (debtor_id)
LEFT JOIN plan p USING (debtor_id, plan_number)
WHERE c.state = 'sending'
  AND CASE WHEN plan_number = 0 THEN {_PROMISED} ELSE coalesce(p.state = 'active', true) END
"""
_LETTER = "debtor_id, contact_id, template, template_version, language, sha256, key_id, sealed, written_at"
KEPT = f"SELECT {_LETTER} FROM letter WHERE debtor_id = $1 AND contact_id = $2"
KEEP = f"INSERT INTO letter ({_LETTER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"

FOUND = text(f"SELECT {_LETTER} FROM letter WHERE debtor_id = :debtor_id AND contact_id = :contact_id")
# The first token begins when the last one that was given ends, or now: on the database's clock, one UPDATE at a time.
# None is given that would begin beyond the horizon: who cannot use it shall not take it from others.
OPEN = "INSERT INTO pace_bucket VALUES ($1, $2, '-infinity') ON CONFLICT DO NOTHING"
CLAIM = """
UPDATE pace_bucket SET next_at = greatest(next_at, clock_timestamp()) + $3::float8 * $4::interval
WHERE provider = $1 AND channel = $2 AND next_at <= clock_timestamp() + $5::interval
RETURNING next_at - $3::float8 * $4::interval AS first, clock_timestamp() AS now
"""
BEHIND = """
SELECT greatest(0, extract(epoch FROM next_at - clock_timestamp()))::float FROM pace_bucket
WHERE provider = $1 AND channel = $2
"""


class Cabinet:
    """Outreach's database behind a few connections, which are opened when they are first needed."""

    def __init__(self, dsn: str) -> None:
        """Remember where it lies."""
        self._dsn = dsn
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def dossier(self, debtor_id: str, plan_number: int) -> Dossier | None:
        """What is known of a debtor. Raises PutOffError."""
        row = await self._row(DOSSIER, debtor_id, plan_number)
        return None if row is None else _dossier(row)

    async def kept(self, debtor_id: str, contact_id: str) -> KeptLetter | None:
        """The letter of a contact. Raises PutOffError."""
        row = await self._row(KEPT, debtor_id, contact_id)
        return None if row is None else KeptLetter(**row)

    async def keep(self, letter: KeptLetter) -> KeptLetter:
        """Keep a letter; the first one of a contact stays. Raises PutOffError."""
        values = [getattr(letter, name) for name in _LETTER.split(", ")]
        await self._row(KEEP, *values)
        return await self.kept(letter.debtor_id, letter.contact_id) or letter

    async def standing(self, contacts: Mapping[str, str]) -> Collection[str]:
        """Which of these contacts, each with its debtor, no stop has overtaken. Raises PutOffError."""
        rows = await self._rows(STANDING, list(contacts.values()), list(contacts))
        return frozenset(row["contact_id"] for row in rows)

    async def claim(self, provider: str, channel: str, many: int, spacing: float, horizon: float) -> Grant | None:
        """A block of tokens, None where they would begin too late. Raises PutOffError."""
        wanted = (provider, channel, float(many), timedelta(seconds=spacing), timedelta(seconds=horizon))
        row = await self._row(CLAIM, *wanted)
        if row is None:  # too late, or the very first: which of them cannot be told while others ask too
            await self._row(OPEN, provider, channel)
            row = await self._row(CLAIM, *wanted)
        return None if row is None else Grant((row["first"] - row["now"]).total_seconds(), many)

    async def behind(self, provider: str, channel: str) -> float:
        """For how many seconds from now tokens are given already. Raises PutOffError."""
        row = await self._row(BEHIND, provider, channel)
        return 0.0 if row is None else float(row[0])

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.close()

    async def _row(self, query: str, *values: Any) -> "asyncpg.Record | None":
        rows = await self._rows(query, *values)
        return rows[0] if rows else None

    async def _rows(self, query: str, *values: Any) -> "list[asyncpg.Record]":
        try:
            return await (await self._opened()).fetch(query, *values)
        except (*DRIVER_ERRORS, TimeoutError):
            raise PutOffError(_AWAY, _AWAY_SECONDS) from None

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn, min_size=1, max_size=CONNECTIONS, timeout=5, command_timeout=10, reset=left_as_it_is
                )
        return self._pool


def _dossier(row: "asyncpg.Record") -> Dossier:
    profile = None
    if row["version"] is not None:
        sealed = None if row["sealed"] is None else msgspec.json.decode(row["sealed"], type=SealedProfile)
        profile = HeldProfile(row["lender_id"], row["version"], row["changed_at"], sealed)
    return Dossier(
        jurisdiction=row["jurisdiction"],
        past_due=row["past_due"],
        currency=row["currency"],
        oldest_due_on=row["oldest_due_on"],
        running=row["running"],
        profile=profile,
    )

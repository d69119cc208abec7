"""Where the profile of a debtor lies, and what the routes read and note of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.messaging.layout import Layout, Table
from shared.profiles import HeldProfile


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """By what a debtor can be found: the keyed hash of a number."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """That the debtor was erased: what was said of them up to then is not taken any more."""

    erased_at: datetime
    erased_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeyDue:
    """A data key that is to be destroyed at once; it stays due until the key store has done so."""

    due_at: datetime
    lender_id: str
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """All that is known of one debtor as a person."""

    debtor_id: str
    profile: HeldProfile | None
    index: Mapping[tuple[str, str], IndexEntry]
    erasure: Erasure | None
    key_due: KeyDue | None


LAYOUT = Layout(
    ProfileFile,
    {
        "profile": Table("profile", HeldProfile),
        "index": Table("profile_index", IndexEntry, key=("kind", "digest")),
        "erasure": Table("profile_erasure", Erasure),
        "key_due": Table("data_key_due", KeyDue, due="due_at"),
    },
)

_FIND = text("""
    SELECT i.debtor_id, p.lender_id FROM profile_index i JOIN profile p USING (debtor_id)
    WHERE i.kind = :kind AND i.digest = :digest ORDER BY i.debtor_id LIMIT :limit
""")
_NOTE = text("INSERT INTO search_log (searched_at, actor, kind, found) VALUES (now(), :actor, :kind, :found)")
_LENDER = text("""
    SELECT lender_id FROM profile WHERE debtor_id = :debtor_id
    UNION ALL SELECT lender_id FROM collection_case WHERE debtor_id = :debtor_id LIMIT 1
""")


async def search(engine: AsyncEngine, kind: str, digest: str, *, actor: str, limit: int) -> Sequence[tuple[str, str]]:
    """The debtors with a number, as (debtor, lender); that somebody asked is on record before anything is answered."""
    async with engine.begin() as connection:
        rows = (await connection.execute(_FIND, {"kind": kind, "digest": digest, "limit": limit})).all()
        await connection.execute(_NOTE, {"actor": actor, "kind": kind, "found": len(rows)})
    return [(debtor_id, lender_id) for debtor_id, lender_id in rows]


async def lender_of(connection: AsyncConnection, debtor_id: str) -> str | None:
    """The lender of a debtor with a profile or a case, None where there is neither."""
    found: str | None = (await connection.execute(_LENDER, {"debtor_id": debtor_id})).scalar()
    return found

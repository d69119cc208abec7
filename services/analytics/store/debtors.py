"""What is held about one debtor."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

_DEBTOR = text("SELECT * FROM collection_case WHERE debtor_id = :debtor_id")
_LOANS = text("SELECT * FROM loan WHERE debtor_id = :debtor_id ORDER BY loan_id")
_PLANS = text("SELECT * FROM plan WHERE debtor_id = :debtor_id ORDER BY plan_number").columns(steps=JSONB)
_FACTS = text("SELECT type, count(*) AS facts FROM fact WHERE debtor_id = :debtor_id GROUP BY type ORDER BY type")


@dataclass(frozen=True, slots=True)
class Held:
    """What analytics holds about one debtor: rows as mappings, and how many facts of each type."""

    case: dict[str, Any] | None
    loans: list[dict[str, Any]]
    plans: list[dict[str, Any]]
    facts: dict[str, int]


async def find_debtor(connection: AsyncConnection, debtor_id: str) -> Held | None:
    """What is held about one debtor, None where no fact was ever heard."""
    facts = {row.type: row.facts for row in await connection.execute(_FACTS, {"debtor_id": debtor_id})}
    if not facts:
        return None
    cases, loans, plans = [await _rows(connection, query, debtor_id) for query in (_DEBTOR, _LOANS, _PLANS)]
    return Held(case=cases[0] if cases else None, loans=loans, plans=plans, facts=facts)


async def _rows(connection: AsyncConnection, query: Executable, debtor_id: str) -> list[dict[str, Any]]:
    """Rows as the domain knows them, without the columns that say whose they are."""
    found = (await connection.execute(query, {"debtor_id": debtor_id})).mappings()
    return [{str(name): cell for name, cell in row.items() if name not in _OWNER} for row in found]


_OWNER = ("shard", "debtor_id")

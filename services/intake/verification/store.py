"""What the routes read of verifications."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.cases.domain.facts import Verification
from services.intake.cases.store import LAYOUT
from shared.messaging.rows import row_of, selected

TABLE = LAYOUT.tables["verifications"]
_LIST = text(f"""
    SELECT debtor_id, {selected(TABLE)} FROM verification
    WHERE (debtor_id, verification_id) > (:after_debtor, :after_verification)
      AND (CAST(:debtor_id AS text) IS NULL OR debtor_id = :debtor_id)
      AND (CAST(:lender_id AS text) IS NULL OR lender_id = :lender_id)
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:holds AS boolean) IS NULL OR holds = :holds)
      AND (CAST(:rule AS text) IS NULL OR jsonb_path_exists(
           CAST(findings AS jsonb), '$[*] ? (@.rule == $rule)', jsonb_build_object('rule', CAST(:rule AS text))))
    ORDER BY debtor_id, verification_id LIMIT :limit
""")  # the names are our own
_LENDER = text("SELECT lender_id FROM verification WHERE debtor_id = :debtor_id AND verification_id = :verification_id")


async def verifications(
    connection: AsyncConnection,
    *,
    after: tuple[str, str],
    limit: int,
    **wanted: str | bool | None,
) -> Sequence[tuple[str, Verification]]:
    """Verifications with their debtors, in order of both ids; `wanted` are columns and their values."""
    place = {"after_debtor": after[0], "after_verification": after[1], "limit": limit}
    found = await connection.execute(_LIST, {**wanted, **place})
    return [(row["debtor_id"], row_of(TABLE, [row[column] for column in TABLE.columns])) for row in found.mappings()]


async def lender_of(connection: AsyncConnection, debtor_id: str, verification_id: str) -> str | None:
    """The lender of a verification, None where there is no such verification."""
    found: str | None = (
        await connection.execute(_LENDER, {"debtor_id": debtor_id, "verification_id": verification_id})
    ).scalar()
    return found

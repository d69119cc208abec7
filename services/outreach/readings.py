"""Reads of personal data are on record with who read what: letters and documents are noted alike."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NOTED = text("""
    INSERT INTO personal_data_read (read_at, actor, debtor_id, what, contact_id, document_id)
    VALUES (now(), :actor, :debtor_id, :what, :contact_id, :document_id)
""")


async def note_reading(
    connection: AsyncConnection, *, actor: str, debtor_id: str, what: str, contact_id: str = "", document_id: str = ""
) -> None:
    """Put on record that somebody reads something of a debtor's; it is the caller's to commit before it is shown."""
    noted = {"actor": actor, "debtor_id": debtor_id, "what": what}
    await connection.execute(_NOTED, {**noted, "contact_id": contact_id, "document_id": document_id})

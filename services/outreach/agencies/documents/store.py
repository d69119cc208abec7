"""Where the sealed contents of documents lie, and the queries of the routes.

A content is kept before the command that puts its document on file, so that no document is without one. Of a command
that was refused, a content is left that nothing names: every query goes by the documents.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.documents.domain import MOST_OF_PLACEMENT
from services.outreach.agencies.documents.sealing import SealedContent


@dataclass(frozen=True, slots=True)
class Place:
    """The placement that a document is of, with its debtor, lender and agency."""

    debtor_id: str
    lender_id: str
    placement_id: str
    agency_id: str


_IS_KEPT = text("""
    SELECT EXISTS (SELECT FROM placement_document_content WHERE debtor_id = :debtor_id AND document_id = :document_id)
""")
_MANY = text("""
    SELECT count(*) FROM placement_document_content WHERE debtor_id = :debtor_id AND placement_id = :placement_id
""")
_KEEP = text("""
    INSERT INTO placement_document_content
    (debtor_id, document_id, placement_id, agency_id, key_id, sealed, written_at)
    VALUES (:debtor_id, :document_id, :placement_id, :agency_id, :key_id, :sealed, now())
    ON CONFLICT DO NOTHING
""")


async def keep(connection: AsyncConnection, place: Place, content: SealedContent) -> bool:
    """Keep a content, once; False where its placement has as many as it may have."""
    of = {"debtor_id": place.debtor_id, "document_id": content.document_id, "placement_id": place.placement_id}
    if (await connection.execute(_IS_KEPT, of)).scalar_one():
        return True
    if (await connection.execute(_MANY, of)).scalar_one() >= MOST_OF_PLACEMENT:
        return False
    wanted = {**of, "agency_id": place.agency_id, "key_id": content.key_id, "sealed": content.sealed}
    await connection.execute(_KEEP, wanted)
    return True


# -- of one agency -----------------------------------------------------------------------------------------------------

OWN_PLACE = text("""
    SELECT p.debtor_id, p.lender_id, p.placement_id, p.agency_id, p.accepted_on, p.ended_on,
           COALESCE(c.business_date, p.ended_on, p.accepted_on, p.offered_on) AS today
    FROM placement AS p
    LEFT JOIN lane_clock AS c ON c.kind = 'lane' AND c.number = p.shard AND c.lender_id = p.lender_id
    WHERE p.agency_id = :agency AND p.placement_id = :placement_id
""")

OWN_DOCUMENTS = text("""
    SELECT * FROM placement_document
    WHERE agency_id = :agency AND placement_id = :placement_id
      AND (CAST(:after AS text) IS NULL OR document_id > :after)
    ORDER BY document_id LIMIT :limit
""")

OWN_DOCUMENT = text("""
    SELECT d.*, c.key_id, c.sealed FROM placement_document AS d
    JOIN placement_document_content AS c USING (debtor_id, document_id)
    WHERE d.agency_id = :agency AND c.agency_id = :agency AND d.placement_id = :placement_id
      AND d.document_id = :document_id
""")

# -- for staff ---------------------------------------------------------------------------------------------------------

PLACE = text("""
    SELECT debtor_id, lender_id, placement_id, agency_id FROM placement
    WHERE debtor_id = :debtor_id AND placement_id = :placement_id
""")

DOCUMENTS = text("""
    SELECT * FROM placement_document
    WHERE debtor_id = :debtor_id AND (CAST(:after AS text) IS NULL OR document_id > :after)
    ORDER BY document_id LIMIT :limit
""")

DOCUMENT = text("""
    SELECT d.*, c.key_id, c.sealed FROM placement_document AS d
    JOIN placement_document_content AS c USING (debtor_id, document_id)
    WHERE d.debtor_id = :debtor_id AND d.document_id = :document_id
""")

"""What a document of a placement is, and what passes as one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

MOST_BYTES = 750_000
"""Of a content: as base64 in JSON it stays within what a request may have before anything parses it."""

MOST_OF_PLACEMENT = 200
"""Contents that are kept for one placement, so that a machine that repeats itself cannot fill a disk; a case with a
visit a week and every letter scanned for seven months has not half as many."""


class AgencyKind(StrEnum):
    """What an agency files."""

    PROOF_OF_PAYMENT = "proof_of_payment"
    REPAYMENT_AGREEMENT = "repayment_agreement"
    HARDSHIP_EVIDENCE = "hardship_evidence"
    DISPUTE_EVIDENCE = "dispute_evidence"
    VISIT_RECORD = "visit_record"
    PROOF_OF_DEMAND = "proof_of_demand"
    RETURNED_LETTER = "returned_letter"
    CORRESPONDENCE = "correspondence"


class LenderKind(StrEnum):
    """What a lender gives an agency to work with."""

    MANDATE = "mandate"
    ACCOUNT_STATEMENT = "account_statement"


class MediaType(StrEnum):
    """What a content may be: what staff can open everywhere, and nothing that runs."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"


BEGINNINGS: Mapping[MediaType, bytes] = {
    MediaType.PDF: b"%PDF-",
    MediaType.JPEG: b"\xff\xd8\xff",
    MediaType.PNG: b"\x89PNG\r\n\x1a\n",
}
"""The first bytes of each, no two of which agree with one content."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document, by all of it that may be known to whoever cannot open it.

    document_id: follows from placement and content. kind: of `AgencyKind` or `LenderKind`. size: of the content, in
    bytes. sha256: of the sealed bytes. settled: always, so that it is loaded only where something names it.
    """

    document_id: str
    placement_id: str
    agency_id: str
    kind: str
    media_type: MediaType
    size: int
    sha256: str
    filed_by: str
    filed_at: datetime
    filed_on: date
    by_lender: bool = False
    contact_id: str = ""
    settled: bool = True


def begins_as(media_type: MediaType, content: bytes) -> bool:
    """Whether a content can be what it is said to be, by its first bytes."""
    return content.startswith(BEGINNINGS[media_type])

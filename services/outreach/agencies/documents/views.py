"""What is said and shown of documents over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.documents.domain import MOST_BYTES, AgencyKind, LenderKind, MediaType
from shared.contracts.placements import DocumentKind

DocumentId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The document, as its filing was answered.")]

DOWNLOADED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {media_type.value: {} for media_type in MediaType},
        "description": "The content, as it was filed; `X-Content-SHA256` is its digest.",
    },
    410: {"description": "The person was erased: nobody can open the document any more."},
}


class _Filing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    media_type: MediaType
    content: str = Field(
        min_length=4,
        repr=False,
        description=f"In base64; {MOST_BYTES} bytes at most. Its first bytes must be those of its media type.",
        json_schema_extra={"contentEncoding": "base64"},
    )


class FileEvidence(_Filing):
    """What an agency files, perhaps of a contact of its own."""

    kind: AgencyKind
    contact_id: str = Field(default="", pattern="^([0-9a-f]{32})?$")


class FilePaper(_Filing):
    """What the lender gives an agency to work with."""

    kind: LenderKind


class FiledAnswer(BaseModel):
    """A document that is on file."""

    model_config = ConfigDict(extra="forbid")

    document_id: str = Field(description="The same for the same content under the same placement.")
    placement_id: str
    kind: DocumentKind
    media_type: MediaType
    size: int = Field(description="Of the content, in bytes.")
    sha256: str = Field(description="Of the content as it lies, sealed.")


class DocumentView(FiledAnswer):
    """A document as an agency finds it listed."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    by_lender: bool = Field(description="It was given to the agency, and not filed by it.")
    contact_id: str = Field(description="The contact that it is evidence of; empty where it is of none.")
    filed_at: datetime
    filed_on: date = Field(description="The lender's business date.")


class StaffDocumentView(DocumentView):
    """The same, with the agency and who filed it."""

    agency_id: str
    filed_by: str

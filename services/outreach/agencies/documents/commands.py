"""What agencies and staff ask about documents: to have one on file whose content is sealed and kept already."""

from typing import Annotated

import msgspec

from services.outreach.agencies.documents.domain import MOST_BYTES, AgencyKind, LenderKind, MediaType
from services.outreach.agencies.placements.commands import PlacementId

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
DocumentId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class _Filing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A content that lies sealed: by which key, and whether the debtor's key was ever destroyed before."""

    placement_id: PlacementId
    document_id: DocumentId
    media_type: MediaType
    size: Annotated[int, msgspec.Meta(ge=1, le=MOST_BYTES)]
    sha256: Digest
    key_id: str
    after_erasure: bool


class FileAgencyDocument(_Filing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency files evidence, of a contact that it has made or of the case as such."""

    kind: AgencyKind
    contact_id: str = ""


class FileLenderDocument(_Filing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lender gives an agency a paper to work with."""

    kind: LenderKind

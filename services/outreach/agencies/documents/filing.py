"""The way of a content in and out, which agencies and staff share: nobody reads it unsealed but in an answer."""

import base64
import hashlib
from typing import Any, TypeAlias

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from services.outreach.agencies.documents import commands, store
from services.outreach.agencies.documents.domain import MOST_BYTES, MOST_OF_PLACEMENT, MediaType, begins_as
from services.outreach.agencies.documents.sealing import SealedContent, opened, sealed
from services.outreach.agencies.documents.store import Place
from services.outreach.agencies.documents.views import FiledAnswer, FileEvidence, FilePaper
from services.outreach.readings import note_reading
from shared.contracts.placements import DocumentKind
from shared.http.auth import Principal
from shared.http.commands import CommandDesk
from shared.http.database import answering
from shared.http.problems import Problem, unavailable
from shared.keys import KeyForgottenError, KeyStore, KeysUnavailableError

_ENDINGS = {MediaType.PDF: "pdf", MediaType.JPEG: "jpg", MediaType.PNG: "png"}

Row: TypeAlias = Any


def no_such_document() -> Problem:
    """That there is no document of this id where it was asked for."""
    return Problem(404, "No such document", "No document has this id here.", field="document_id")


async def file(
    request: Request,
    desk: CommandDesk,
    keys: KeyStore,
    place: Place,
    body: FileEvidence | FilePaper,
    *,
    key: str,
    by: Principal,
) -> FiledAnswer:
    """Keep a content, and then have its document put on file. Raises Problem."""
    content = content_of(body)
    hidden = await _kept(request.app.state.engine, keys, place, content)
    name, command = _command(place.placement_id, body, hidden, len(content))
    await desk.submit(
        kind="lane", owner=place.debtor_id, lender_id=place.lender_id, name=name, body=command, key=key, principal=by
    )
    return FiledAnswer(
        document_id=hidden.document_id,
        placement_id=place.placement_id,
        kind=DocumentKind(body.kind),
        media_type=body.media_type,
        size=len(content),
        sha256=hidden.sha256,
    )


def content_of(body: FileEvidence | FilePaper) -> bytes:
    """The bytes that were sent. Raises Problem 422 where they are none, or not what they are said to be."""
    try:
        content = base64.b64decode(body.content, validate=True)
    except ValueError:
        raise Problem(422, "Invalid input", "The content is not base64.", field="content") from None
    if len(content) > MOST_BYTES:
        raise Problem(422, "Invalid input", f"A content has {MOST_BYTES} bytes at most.", field="content")
    if not begins_as(body.media_type, content):
        detail = f"The first bytes of the content are not those of {body.media_type}."
        raise Problem(422, "Invalid input", detail, field="content")
    return content


async def _kept(engine: AsyncEngine, keys: KeyStore, place: Place, content: bytes) -> SealedContent:
    """The content, sealed, once it is durable."""
    try:
        hidden = sealed(content, keys, place.debtor_id, place.placement_id)
    except KeysUnavailableError:
        raise unavailable("key store") from None
    async with answering(), engine.begin() as connection:
        is_kept = await store.keep(connection, place, hidden)
    if not is_kept:
        detail = f"A placement has {MOST_OF_PLACEMENT} documents at most."
        raise Problem(409, "Too many documents", detail, field="placement_id")
    return hidden


def _command(
    placement_id: str, body: FileEvidence | FilePaper, hidden: SealedContent, size: int
) -> tuple[str, commands.FileAgencyDocument | commands.FileLenderDocument]:
    """The command that puts a document on file, which says nothing of what it holds."""
    said: dict[str, Any] = {
        "placement_id": placement_id,
        "document_id": hidden.document_id,
        "media_type": body.media_type,
        "size": size,
        "sha256": hidden.sha256,
        "key_id": hidden.key_id,
        "after_erasure": hidden.after_erasure,
    }
    if isinstance(body, FilePaper):
        return "file-lender-document", commands.FileLenderDocument(kind=body.kind, **said)
    command = commands.FileAgencyDocument(kind=body.kind, contact_id=body.contact_id, **said)
    return "file-agency-document", command


async def download(request: Request, keys: KeyStore, row: Row, by: Principal) -> Response:
    """A document's content; that it is read, and by whom, is on record before. Raises Problem."""
    read = {"debtor_id": row.debtor_id, "document_id": row.document_id}
    async with answering(), request.app.state.engine.begin() as connection:
        await note_reading(connection, actor=by.actor, what="document", **read)
    kept = SealedContent(row.document_id, row.sha256, row.key_id, after_erasure=False, sealed=row.sealed)
    try:
        content = opened(kept, keys, row.debtor_id, row.placement_id)
    except KeyForgottenError:
        raise Problem(410, "Erased", "The person was erased: nobody can open the document any more.") from None
    except KeysUnavailableError:
        raise unavailable("key store") from None
    headers = {
        "X-Content-SHA256": hashlib.sha256(content).hexdigest(),
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{row.document_id}.{_ENDINGS[MediaType(row.media_type)]}"',
    }
    return Response(content, media_type=row.media_type, headers=headers)


def place_in(row: Row) -> Place:
    """The place that a query has found."""
    return Place(row.debtor_id, row.lender_id, row.placement_id, row.agency_id)

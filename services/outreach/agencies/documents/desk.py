"""Documents over HTTP, for agencies: what is on file of their own placements, and what they file.

A placement of another is answered as one that does not exist, and each query names the agency.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.documents import store
from services.outreach.agencies.documents.filing import Row, download, file, no_such_document, place_in
from services.outreach.agencies.documents.views import DOWNLOADED, DocumentId, DocumentView, FiledAnswer, FileEvidence
from services.outreach.agencies.placements.api import PlacementId
from services.outreach.agencies.placements.desk import no_such_placement
from services.outreach.agencies.placements.domain.placement import is_open
from services.outreach.agencies.tenants.tenancy import PlacementsReader, PlacementsWriter, TenantConnection
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.paging import Page, Paging
from shared.http.problems import Problem
from shared.keys import KeyStore


def agency_routes(keys: Callable[[], KeyStore]) -> APIRouter:
    """The routes of agencies. keys: seals what comes, and opens it."""
    router = APIRouter(prefix="/v1/agency", tags=["agency"], dependencies=[Depends(require(Role.AGENCY))])
    of, files = "/placements/{placement_id}/documents", _Files(keys)
    router.add_api_route(of, list_documents, methods=["GET"])
    router.add_api_route(of, files.file_document, methods=["POST"], status_code=201)
    router.add_api_route(
        f"{of}/{{document_id}}",
        files.read_document,
        methods=["GET"],
        response_class=Response,
        responses=DOWNLOADED,
    )
    return router


async def _place(connection: AsyncConnection, agency: Principal, placement_id: str) -> Row:
    """A placement of the caller's. Raises Problem 404."""
    asked = {"agency": agency.name, "placement_id": placement_id}
    row = (await connection.execute(store.OWN_PLACE, asked)).first()
    if row is None:
        raise no_such_placement()
    return row


async def list_documents(
    placement_id: PlacementId, connection: TenantConnection, paging: Paging, agency: PlacementsReader
) -> Page[DocumentView]:
    """What is on file of one of the caller's placements, in order of their ids; it stays listed for good."""
    await _place(connection, agency, placement_id)
    of = {"agency": agency.name, "placement_id": placement_id}
    asked = {**of, "after": paging.after, "limit": paging.limit}
    items = [DocumentView.model_validate(row) for row in (await connection.execute(store.OWN_DOCUMENTS, asked)).all()]
    return Page(items=items, next=paging.cursor(items[-1].document_id if items else None, len(items)))


@dataclass(frozen=True)
class _Files:
    keys: Callable[[], KeyStore]

    async def file_document(
        self,
        placement_id: PlacementId,
        body: FileEvidence,
        desk: Commands,
        key: IdempotencyKey,
        request: Request,
        connection: TenantConnection,
        agency: PlacementsWriter,
    ) -> FiledAnswer:
        """File evidence, also for sixty days after the placement has ended; the same content is on file once."""
        row = await _place(connection, agency, placement_id)
        await connection.close()
        return await file(request, desk, self.keys(), place_in(row), body, key=key, by=agency)

    async def read_document(
        self,
        placement_id: PlacementId,
        document_id: DocumentId,
        request: Request,
        connection: TenantConnection,
        agency: PlacementsReader,
    ) -> Response:
        """What a document holds, until sixty days after the placement has ended; each reading is on record."""
        place = await _place(connection, agency, placement_id)
        if not is_open(place.accepted_on, place.ended_on, place.today):
            detail = "The placement has ended, and with it the reading of what was entrusted for it."
            raise Problem(403, "Not allowed", detail, field="placement_id")
        asked = {"agency": agency.name, "placement_id": placement_id, "document_id": document_id}
        row = (await connection.execute(store.OWN_DOCUMENT, asked)).first()
        await connection.close()
        if row is None:
            raise no_such_document()
        return await download(request, self.keys(), row, agency)

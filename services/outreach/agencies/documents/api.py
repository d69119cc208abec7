"""Documents over HTTP, for staff: what is on file of a debtor, and papers for an agency to work with."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from services.outreach.agencies.documents import store
from services.outreach.agencies.documents.filing import download, file, no_such_document, place_in
from services.outreach.agencies.documents.views import (
    DOWNLOADED,
    DocumentId,
    FiledAnswer,
    FilePaper,
    StaffDocumentView,
)
from services.outreach.agencies.placements.api import PlacementId
from services.outreach.asking import Staff, no_such_debtor
from services.outreach.plans.store import GUARD
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId
from shared.http.paging import Page, Paging
from shared.http.problems import Problem
from shared.keys import KeyStore


def add_routes(router: APIRouter, keys: Callable[[], KeyStore]) -> None:
    """Add documents to the routes about debtors. keys: seals what comes, and opens it."""
    staff = _Files(keys)
    of, under = "/debtors/{debtor_id}/documents", "/debtors/{debtor_id}/placements/{placement_id}/documents"
    router.add_api_route(of, list_documents, methods=["GET"])
    router.add_api_route(
        f"{of}/{{document_id}}",
        staff.read_document,
        methods=["GET"],
        response_class=Response,
        responses=DOWNLOADED,
        tags=["people"],
    )
    router.add_api_route(under, staff.file_paper, methods=["POST"], status_code=201)


async def list_documents(debtor_id: DebtorId, connection: Connection, paging: Paging) -> Page[StaffDocumentView]:
    """The documents of all placements of a debtor, in order of their ids."""
    if (await connection.execute(GUARD, {"debtor_id": debtor_id})).first() is None:
        raise no_such_debtor()
    asked = {"debtor_id": debtor_id, "after": paging.after, "limit": paging.limit}
    rows = (await connection.execute(store.DOCUMENTS, asked)).all()
    items = [StaffDocumentView.model_validate(row) for row in rows]
    return Page(items=items, next=paging.cursor(items[-1].document_id if items else None, len(items)))


@dataclass(frozen=True)
class _Files:
    keys: Callable[[], KeyStore]

    async def read_document(
        self, debtor_id: DebtorId, document_id: DocumentId, staff: Staff, request: Request, connection: Connection
    ) -> Response:
        """What a document holds; each reading is on record with who read it."""
        asked = {"debtor_id": debtor_id, "document_id": document_id}
        row = (await connection.execute(store.DOCUMENT, asked)).first()
        await connection.close()
        if row is None:
            raise no_such_document()
        return await download(request, self.keys(), row, staff)

    async def file_paper(
        self,
        debtor_id: DebtorId,
        placement_id: PlacementId,
        body: FilePaper,
        desk: Commands,
        key: IdempotencyKey,
        staff: Staff,
        request: Request,
        connection: Connection,
    ) -> FiledAnswer:
        """Give the agency of a placement a paper to work with; it finds it listed, and among its changes."""
        asked = {"debtor_id": debtor_id, "placement_id": placement_id}
        row = (await connection.execute(store.PLACE, asked)).first()
        await connection.close()
        if row is None:
            raise Problem(404, "No such placement", "The debtor has no placement of this id.", field="placement_id")
        return await file(request, desk, self.keys(), place_in(row), body, key=key, by=staff)

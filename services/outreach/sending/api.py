"""A letter as it was handed over, over HTTP; that somebody read it is on record before it is shown."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response

from services.outreach.readings import note_reading
from services.outreach.sending.letters import KeptLetter, opened
from services.outreach.sending.store import FOUND
from shared.http.auth import Principal, Role, require
from shared.http.database import answering
from shared.http.inputs import DebtorId
from shared.http.problems import Problem, unavailable
from shared.keys import KeyForgottenError, KeyStore, KeysUnavailableError

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
ContactId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The contact by which the letter was sent.")]

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/pdf": {}}, "description": "The letter, as it was printed."},
    410: {"description": "The person was erased: nobody can open the letter any more."},
}


def add_routes(router: APIRouter, keys: Callable[[], KeyStore]) -> None:
    """Add the letters to the routes about debtors."""

    async def read_letter(debtor_id: DebtorId, contact_id: ContactId, staff: Staff, request: Request) -> Response:
        """The letter of a contact as PDF; each reading is on record with who read it."""
        found = await _noted(request, debtor_id, contact_id, staff.actor)
        if found is None:
            raise Problem(404, "No such letter", "No letter of this contact is kept.", field="contact_id")
        try:
            content = opened(found, keys())
        except KeyForgottenError:
            raise Problem(410, "Erased", "The person was erased: nobody can open the letter any more.") from None
        except KeysUnavailableError:
            raise unavailable("key store") from None
        headers = {"X-Content-SHA256": found.sha256, "Cache-Control": "no-store"}
        return Response(content, media_type="application/pdf", headers=headers)

    path = "/debtors/{debtor_id}/letters/{contact_id}"
    router.add_api_route(
        path, read_letter, methods=["GET"], response_class=Response, responses=ANSWERS, tags=["people"]
    )


async def _noted(request: Request, debtor_id: str, contact_id: str, actor: str) -> KeptLetter | None:
    """The letter as it is kept, and a note of who asked for it, in one transaction."""
    of = {"debtor_id": debtor_id, "contact_id": contact_id}
    async with answering(), request.app.state.engine.begin() as connection:
        row = (await connection.execute(FOUND, of)).mappings().first()
        if row is None:
            return None
        await note_reading(connection, actor=actor, what="letter", **of)
        return KeptLetter(**row)

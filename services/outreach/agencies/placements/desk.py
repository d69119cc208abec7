"""The desk of an agency over HTTP: its placements and nobody else's, what it does with them, and what it has earned.

The caller's name is the agency. A placement of another is answered as one that does not exist, by every route, and each
query names the agency.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.placements import changes, commands, store
from services.outreach.agencies.placements.api import PlacementId, WithReason
from services.outreach.agencies.placements.domain.placement import PlacementState
from services.outreach.agencies.placements.statements import Month, statement_of
from services.outreach.agencies.placements.views import (
    Changes,
    ChangeView,
    PlacementAnswer,
    PlacementView,
    StatementView,
)
from services.outreach.agencies.tenants.tenancy import (
    PermitAsker,
    PlacementsReader,
    PlacementsWriter,
    StatementReader,
    TenantConnection,
)
from services.outreach.contacts.permits import Signer
from services.outreach.outcomes.api import OutcomeAnswer, SayOutcome, answered, command_of
from services.outreach.permits.answers import REFUSED, PermitAnswer, permit_in
from services.outreach.permits.api import AskPermit, UnusedAnswer
from services.outreach.permits.checking import CheckedView, ShownPermit, checked
from services.outreach.permits.commands import AskPermit as PermitAsked
from shared.clock import Clock
from shared.http.auth import Principal, Role, require
from shared.http.commands import CommandDesk, Commands, IdempotencyKey
from shared.http.paging import Page, Paging, encode_cursor
from shared.http.problems import Problem

ContactId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The contact, as it was permitted.")]


class SayAgencyOutcome(SayOutcome):
    """What came of a contact that the agency had a permit for, in codes."""

    contact_id: str = Field(pattern="^[0-9a-f]{32}$")


def agency_routes(signer: Signer, clock: Clock) -> APIRouter:
    """The routes of agencies. Permits are signed by `signer`, and live by `clock`."""
    router = APIRouter(prefix="/v1/agency", tags=["agency"], dependencies=[Depends(require(Role.AGENCY))])
    one, permits = "/placements/{placement_id}", _Permits(signer, clock)
    router.add_api_route("/placements", list_placements, methods=["GET"])
    router.add_api_route("/placements/changes", read_changes, methods=["GET"])
    router.add_api_route(one, read_placement, methods=["GET"])
    router.add_api_route(f"{one}/accept", accept_placement, methods=["POST"])
    router.add_api_route(f"{one}/decline", decline_placement, methods=["POST"])
    router.add_api_route(f"{one}/hand-back", hand_back_placement, methods=["POST"])
    router.add_api_route(f"{one}/object", object_to_recall, methods=["POST"])
    router.add_api_route(f"{one}/permits", permits.ask_permit, methods=["POST"], status_code=201, responses=REFUSED)
    router.add_api_route(f"{one}/permits/{{contact_id}}/unused", give_back_permit, methods=["POST"])
    router.add_api_route(f"{one}/outcomes", say_outcome, methods=["POST"])
    router.add_api_route("/permits/check", permits.check_permit, methods=["POST"])
    router.add_api_route("/statements/{month}", read_own_statement, methods=["GET"])
    return router


def no_such_placement() -> Problem:
    """That the caller has no placement of this id, whether or not somebody else has."""
    return Problem(404, "No such placement", "No placement of yours has this id.", field="placement_id")


# -- what an agency reads ----------------------------------------------------------------------------------------------


async def list_placements(
    connection: TenantConnection, paging: Paging, agency: PlacementsReader, state: PlacementState | None = None
) -> Page[PlacementView]:
    """The caller's placements in order of their ids, or those in one state."""
    asked = {"agency": agency.name, "state": state, "after": paging.after, "limit": paging.limit}
    items = [PlacementView.model_validate(row) for row in (await connection.execute(store.PLACEMENTS, asked)).all()]
    return Page(items=items, next=paging.cursor(items[-1].placement_id if items else None, len(items)))


async def read_placement(
    placement_id: PlacementId, connection: TenantConnection, agency: PlacementsReader
) -> PlacementView:
    """One of the caller's placements."""
    asked = {"agency": agency.name, "placement_id": placement_id}
    row = (await connection.execute(store.PLACEMENT, asked)).first()
    if row is None:
        raise no_such_placement()
    return PlacementView.model_validate(row)


async def read_changes(connection: TenantConnection, paging: Paging, agency: PlacementsReader) -> Changes:
    """Everything that has changed since a cursor, or from the beginning; ask on with `next`, now or tomorrow."""
    place = changes.place_of(paging)
    asked = {"agency": agency.name, "limit": paging.limit, **changes.asked_of(place)}
    rows = (await connection.execute(store.CHANGES, asked)).all()
    return Changes(
        items=[ChangeView.model_validate(row) for row in rows],
        next=encode_cursor(changes.after(place, rows)),
        more=len(rows) >= paging.limit,
    )


async def read_own_statement(
    month: Month, connection: TenantConnection, paging: Paging, agency: StatementReader
) -> StatementView:
    """What the caller has earned in a month of the lender's business dates."""
    return await statement_of(connection, agency.name, month, paging)


# -- what an agency does -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks for something to be done about a placement of theirs, under which key, and where it is handed in."""

    desk: CommandDesk
    key: str
    connection: AsyncConnection
    agency: Principal

    async def submit(self, name: str, body: Any) -> tuple[dict[str, Any], str]:
        """Have the lane of a placement's debtor apply a command; its answer and the debtor. Raises Problem."""
        asked = {"agency": self.agency.name, "placement_id": body.placement_id}
        place = (await self.connection.execute(store.PLACE, asked)).first()
        # The desk waits on connections of the same pool: one that is kept meanwhile could be the one that it waits for.
        await self.connection.close()
        if place is None:
            raise no_such_placement()
        answer = await self.desk.submit(
            kind="lane",
            owner=place.debtor_id,
            lender_id=place.lender_id,
            name=name,
            body=body,
            key=self.key,
            principal=self.agency,
        )
        return answer, str(place.debtor_id)


def _about_cases(
    desk: Commands, key: IdempotencyKey, connection: TenantConnection, agency: PlacementsWriter
) -> _Asking:
    return _Asking(desk, key, connection, agency)


def _about_contacts(desk: Commands, key: IdempotencyKey, connection: TenantConnection, agency: PermitAsker) -> _Asking:
    return _Asking(desk, key, connection, agency)


AboutCases = Annotated[_Asking, Depends(_about_cases)]
AboutContacts = Annotated[_Asking, Depends(_about_contacts)]


async def accept_placement(placement_id: PlacementId, asking: AboutCases) -> PlacementAnswer:
    """Take a case that was offered."""
    wanted = commands.AcceptPlacement(placement_id=placement_id)
    await asking.submit("accept-placement", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.ACCEPTED)


async def decline_placement(placement_id: PlacementId, body: WithReason, asking: AboutCases) -> PlacementAnswer:
    """Not take a case that was offered."""
    wanted = commands.DeclinePlacement(placement_id=placement_id, reason=body.reason)
    await asking.submit("decline-placement", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.ENDED)


async def hand_back_placement(placement_id: PlacementId, body: WithReason, asking: AboutCases) -> PlacementAnswer:
    """Give a case back that was accepted, with every permit for it."""
    wanted = commands.HandBackPlacement(placement_id=placement_id, reason=body.reason)
    await asking.submit("hand-back-placement", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.ENDED)


async def object_to_recall(placement_id: PlacementId, body: WithReason, asking: AboutCases) -> PlacementAnswer:
    """Say why a case that is asked back should stay; it is worked on until somebody decides."""
    wanted = commands.ObjectToRecall(placement_id=placement_id, reason=body.reason)
    await asking.submit("object-to-recall", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.OBJECTED)


@dataclass(frozen=True)
class _Permits:
    """Permits, asked for and checked.

    A check asks the ledger, and not the lane through the placement: nothing is to be decided, a permit says itself
    whose it is, and why it was taken back stands in the ledger, also when the placement has ended. An agency's role is
    shown those rows of it that were permitted to that agency, and how they stand.
    """

    signer: Signer
    clock: Clock

    async def ask_permit(self, placement_id: PlacementId, body: AskPermit, asking: AboutContacts) -> PermitAnswer:
        """Ask for leave to make one contact now, for a case that the caller holds."""
        asked = PermitAsked(**{**body.model_dump(), "content": tuple(body.content)})
        wanted = commands.AskAgencyPermit(placement_id=placement_id, asked=asked)
        answer, debtor_id = await asking.submit("ask-agency-permit", wanted)
        return permit_in(answer, debtor_id, self.signer)

    async def check_permit(self, body: ShownPermit, connection: TenantConnection, agency: PermitAsker) -> CheckedView:
        """Whether a permit of the caller's may be used now; anybody else's is answered as no permit at all."""
        return await checked(body, self.signer, self.clock.now(), connection, holder=agency.actor)


async def give_back_permit(placement_id: PlacementId, contact_id: ContactId, asking: AboutContacts) -> UnusedAnswer:
    """Say that a contact was not made: its permit counts no more, and stays in the ledger."""
    wanted = commands.GiveBackAgencyPermit(placement_id=placement_id, contact_id=contact_id)
    await asking.submit("give-back-agency-permit", wanted)
    return UnusedAnswer(contact_id=contact_id, reason="given back unused")


async def say_outcome(placement_id: PlacementId, body: SayAgencyOutcome, asking: AboutContacts) -> OutcomeAnswer:
    """Say once what came of a contact of the caller's, also of one that had begun before the placement ended."""
    said = command_of(body.contact_id, body)
    wanted = commands.RecordAgencyOutcome(placement_id=placement_id, said=said)
    answer, _ = await asking.submit("record-agency-outcome", wanted)
    return answered(body.contact_id, body, answer)

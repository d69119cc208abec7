"""Permits for people over HTTP: to ask for one, to give it back, and to check one that is shown."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.outreach.asking import ask
from services.outreach.compliance.domain.words import Party
from services.outreach.contacts.permits import Signer
from services.outreach.permits import commands
from services.outreach.permits.answers import REFUSED, PermitAnswer, permit_in
from services.outreach.permits.checking import CheckedView, ShownPermit, checked
from services.outreach.permits.commands import Content, Purpose
from services.outreach.plans.domain.rows import Channel
from shared.clock import Clock
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
ContactId = Annotated[
    str,
    Path(min_length=1, max_length=64, pattern="^[0-9A-Za-z_.:-]+$", description="The contact, as it was permitted."),
]


class AskPermit(BaseModel):
    """A contact that a person wants to make now."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel
    purpose: Purpose = Purpose.COLLECTION
    party: Party = Party.DEBTOR
    contact_point: Annotated[str, StringConstraints(max_length=64, pattern="^[0-9A-Za-z_.:-]*$")] = Field(
        default="", description="The id of a contact point of the debtor's profile; needed for whoever owes nothing."
    )
    content: list[Content] = Field(
        default_factory=list, max_length=2, description="What is to be said to somebody who owes nothing."
    )
    crew: int | None = Field(default=None, ge=1, le=9, description="How many people stand at the door, of a visit.")


class UnusedAnswer(BaseModel):
    """A permit that was given back."""

    model_config = ConfigDict(extra="forbid")

    contact_id: str
    state: Literal["not_made"] = "not_made"
    reason: str


def add_routes(router: APIRouter, signer: Signer, clock: Clock) -> None:
    """Add the routes to those about debtors."""
    desk = _Desk(signer, clock)
    of = "/debtors/{debtor_id}/permits"
    router.add_api_route(of, desk.ask_permit, methods=["POST"], status_code=201, responses=REFUSED)
    router.add_api_route(f"{of}/{{contact_id}}/unused", give_back_permit, methods=["POST"])
    router.add_api_route("/permits/check", desk.check_permit, methods=["POST"])


@dataclass(frozen=True)
class _Desk:
    signer: Signer
    clock: Clock

    async def ask_permit(
        self,
        debtor_id: DebtorId,
        body: AskPermit,
        desk: Commands,
        key: IdempotencyKey,
        staff: Staff,
        connection: Connection,
    ) -> PermitAnswer:
        """Ask for leave to make one contact now: judged by the rules of contact, and counted from now on."""
        answer = await ask(desk, connection, debtor_id=debtor_id, name="ask-permit", body=body, key=key, by=staff)
        return permit_in(answer, debtor_id, self.signer)

    async def check_permit(self, body: ShownPermit, connection: Connection) -> CheckedView:
        """Whether a permit that is shown may be used now; to be asked just before a contact begins."""
        return await checked(body, self.signer, self.clock.now(), connection)


async def give_back_permit(
    debtor_id: DebtorId,
    contact_id: ContactId,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> UnusedAnswer:
    """Say that a contact was not made: its permit counts no more, and stays in the ledger."""
    body = commands.GiveBack(contact_id=contact_id)
    await ask(desk, connection, debtor_id=debtor_id, name="give-back-permit", body=body, key=key, by=staff)
    return UnusedAnswer(contact_id=contact_id, reason="given back unused")

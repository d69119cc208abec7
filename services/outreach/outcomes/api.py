"""What came of a contact, over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.outreach.asking import Reason, Staff, ask, fact, no_such_debtor
from services.outreach.compliance.domain.words import Party
from services.outreach.matters.api import LoanId
from services.outreach.outcomes import commands
from services.outreach.plans.api import AsOf, KnownAt
from services.outreach.plans.store import GUARD
from shared.contracts.outreach import Ability, DelinquencyCause, OutcomeResult, SaidBy, Willingness
from shared.contracts.segmentation import Channel
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId, Instant, IsoDate

ContactId = Annotated[
    str,
    Path(min_length=1, max_length=64, pattern="^[0-9A-Za-z_.-]+$", description="The contact, as the ledger has it."),
]


class PromiseSaid(BaseModel):
    """A sum in minor units, and the day by which it is to be paid."""

    model_config = ConfigDict(extra="forbid")

    amount: int = Field(ge=1, le=10**15)
    currency: str = Field(pattern="^[A-Z]{3}$")
    promised_on: IsoDate


class SayOutcome(BaseModel):
    """What came of a contact, in codes: there is no free text, which could hold personal data.

    `promise` goes with `promised`, `call_back_at` with `asked_for_another_time`, `opts_out_of` (the contact's channel
    where none is named) with `opted_out`.
    """

    model_config = ConfigDict(extra="forbid")

    result: OutcomeResult
    reason_code: DelinquencyCause = DelinquencyCause.UNKNOWN
    ability: Ability = Ability.UNKNOWN
    willingness: Willingness = Willingness.UNKNOWN
    promise: PromiseSaid | None = None
    call_back_at: Instant | None = None
    opts_out_of: list[Channel] = Field(default=[], max_length=len(Channel))
    loan_id: LoanId | None = Field(default=None, description="The loan that a dispute is about.")


class OutcomeAnswer(BaseModel):
    """What followed; nothing where the same was said before."""

    model_config = ConfigDict(extra="forbid")

    contact_id: str
    result: OutcomeResult
    promise_id: str | None = None
    matter_id: str | None = None
    due_on: date | None = Field(default=None, description="Until when the matter is to be seen to.")
    stopped_plan: int | None = None


class WithdrawOptOut(BaseModel):
    """How the person let it be known that they want to be reached again, and why, in plain words without digits."""

    model_config = ConfigDict(extra="forbid")

    said_by: SaidBy
    reason: Reason


class ChannelAnswer(BaseModel):
    """The channel that is open again."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel


class OptOutView(BaseModel):
    """A channel by which the person does not want to be reached; `since_on` is a business date."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    channel: Channel
    since: datetime
    since_on: date
    contact_id: str
    recorded_by: str


class PastOptOutView(OptOutView):
    """An opt-out as it stood on a date; what follows `recorded_by` is None where it has not been withdrawn."""

    withdrawn_at: datetime | None
    withdrawn_on: date | None
    withdrawn_by: str | None
    said_by: SaidBy | None
    reason: str | None


class BadPointView(BaseModel):
    """A contact point (`number`, `email` or `address`) that led to somebody else, of that version of the profile."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    point: str
    profile_version: int
    since: datetime
    contact_id: str


class RefusalView(BaseModel):
    """Somebody who owes nothing and does not want to be contacted: nobody who owes nothing is, from then on."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    contact_id: str
    party: Party
    channel: Channel
    since: datetime
    since_on: date
    recorded_by: str


OPT_OUTS = text("SELECT * FROM opt_out WHERE debtor_id = :debtor_id ORDER BY channel")
# Two clocks, as for holds: what stood on a business date, as far as was known at an instant.
OPT_OUTS_AS_OF = text("""
    SELECT * FROM (
        SELECT channel, since, since_on, contact_id, recorded_by,
               withdrawn_at, withdrawn_on, withdrawn_by, said_by, reason
        FROM withdrawn_opt_out WHERE debtor_id = :debtor_id
        UNION ALL
        SELECT channel, since, since_on, contact_id, recorded_by, NULL, NULL, NULL, NULL, NULL
        FROM opt_out WHERE debtor_id = :debtor_id
    ) AS every
    WHERE since_on <= :as_of AND (CAST(:known_at AS timestamptz) IS NULL OR since <= :known_at)
      AND (withdrawn_on IS NULL OR :as_of < withdrawn_on OR withdrawn_at > CAST(:known_at AS timestamptz))
    ORDER BY channel, since
""")
REFUSALS = text("SELECT * FROM contact_refusal WHERE debtor_id = :debtor_id ORDER BY since, contact_id LIMIT 100")
BAD_POINTS = text("SELECT * FROM bad_point WHERE debtor_id = :debtor_id ORDER BY point")


def add_routes(router: APIRouter) -> None:
    """Add outcomes to the routes about debtors."""
    router.add_api_route("/debtors/{debtor_id}/contacts/{contact_id}/outcome", say_outcome, methods=["POST"])
    router.add_api_route("/debtors/{debtor_id}/opt-outs", read_opt_outs, methods=["GET"])
    router.add_api_route("/debtors/{debtor_id}/opt-outs/{channel}/withdraw", open_channel, methods=["POST"])


async def say_outcome(
    debtor_id: DebtorId,
    contact_id: ContactId,
    body: SayOutcome,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> OutcomeAnswer:
    """Say once what came of a contact. A promise, a dispute, a complaint or hardship makes outreach stand still."""
    answer = await ask(
        desk,
        connection,
        debtor_id=debtor_id,
        name="record-outcome",
        body=command_of(contact_id, body),
        key=key,
        by=staff,
    )
    return answered(contact_id, body, answer)


def answered(contact_id: str, body: SayOutcome, answer: dict[str, Any]) -> OutcomeAnswer:
    """What followed, by an actor's answer."""
    matter = fact(answer, "outreach.matter-raised.v1")
    return OutcomeAnswer(
        contact_id=contact_id,
        result=body.result,
        promise_id=fact(answer, "outreach.promise-made.v1").get("promise_id"),
        matter_id=matter.get("matter_id"),
        due_on=matter.get("due_on"),
        stopped_plan=fact(answer, "outreach.plan-stopped.v1").get("plan_number"),
    )


async def read_opt_outs(
    debtor_id: DebtorId, connection: Connection, as_of: AsOf, known_at: KnownAt = None
) -> list[PastOptOutView]:
    """The opt-outs that stood on a business date, as was known at an instant, and what became of them since."""
    if (await connection.execute(GUARD, {"debtor_id": debtor_id})).first() is None:
        raise no_such_debtor()
    asked = {"debtor_id": debtor_id, "as_of": as_of, "known_at": known_at}
    return [PastOptOutView.model_validate(row) for row in (await connection.execute(OPT_OUTS_AS_OF, asked)).all()]


async def open_channel(
    debtor_id: DebtorId,
    channel: Channel,
    body: WithdrawOptOut,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> ChannelAnswer:
    """Let the person be reached again by a channel that they had opted out of, because they ask for it."""
    wanted = commands.OpenChannel(channel=channel, said_by=body.said_by, reason=body.reason)
    await ask(desk, connection, debtor_id=debtor_id, name="open-channel", body=wanted, key=key, by=staff)
    return ChannelAnswer(channel=channel)


def command_of(contact_id: str, body: SayOutcome) -> commands.RecordOutcome:
    """What was said of a contact, as its actor takes it."""
    return commands.RecordOutcome(
        contact_id=contact_id,
        result=body.result,
        reason_code=body.reason_code,
        ability=body.ability,
        willingness=body.willingness,
        promise=None if body.promise is None else commands.PromiseSaid(**body.promise.model_dump()),
        call_back_at=body.call_back_at,
        opts_out_of=tuple(body.opts_out_of),
        loan_id=body.loan_id,
    )

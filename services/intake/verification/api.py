"""The queue of what a person is to verify, and what they decide."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.intake.cases.domain.facts import Verification, VerificationState
from services.intake.verification import domain, store
from services.intake.verification.commands import Choice
from services.intake.views import InstalmentItem
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import NO_NUL, IsoDate
from shared.http.paging import Page, Paging
from shared.http.problems import Problem

STAFF = Depends(require(Role.OPERATOR, Role.SUPERVISOR))
Staff = Annotated[Principal, STAFF]
DebtorId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
VerificationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The verification, as the queue names it.")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]
Amount = Annotated[int, Field(ge=0, le=10**15)]
Filter = Annotated[str | None, Query(max_length=128, pattern=NO_NUL)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FindingItem(_Item):
    """What looks wrong: by which rule, in words, and the values in which it shows; amounts in minor units."""

    rule: str
    sentence: str
    values: dict[str, str]


class ReportedItem(_Item):
    """The snapshot in which it was found; amounts in minor units of `currency`."""

    as_of: date
    posting_cut_off: datetime
    currency: str
    unpaid: int
    outstanding: int
    product: str
    portfolio: str
    instalments: list[InstalmentItem]


class VerificationItem(_Item):
    """What a person is to look at, or has decided about."""

    debtor_id: str
    verification_id: str
    lender_id: str
    loan_id: str
    state: VerificationState
    holds: bool = Field(description="Whether nobody is contacted, before it is decided or since it was rejected.")
    revision: int = Field(description="To be named with the decision: it grows when the bank reports the loan anew.")
    findings: list[FindingItem]
    reported: ReportedItem
    raised_at: datetime
    raised_on: date
    decided_at: datetime | None
    decided_by: str
    reason: str


class RightInstalment(_Item):
    """What is really unpaid of an instalment."""

    number: Annotated[int, Field(ge=1, le=10_000)]
    due_on: IsoDate
    principal: Amount = 0
    interest: Amount = 0
    penalty: Amount = 0
    fee: Amount = 0


class Correction(_Item):
    """What is right; what is left out is right as the bank says it. `instalments` are all that are unpaid."""

    as_of: IsoDate | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    outstanding: Amount | None = None
    instalments: Annotated[list[RightInstalment], Field(max_length=1_000)] | None = None


class Decision(_Item):
    """A decision about what was read in `revision`, and why, in plain words without digits."""

    revision: Annotated[int, Field(ge=1, le=10**9)]
    reason: Reason


class CorrectingDecision(Decision):
    """A decision that what the bank says is wrong, and what is right."""

    corrected: Correction


class DecidedAnswer(_Item):
    """The decision is committed."""

    verification_id: str
    decision: VerificationState


def add_to(router: APIRouter) -> None:
    """Add the routes about verifications."""
    router.add_api_route(
        "/verifications", list_verifications, methods=["GET"], tags=["verification"], dependencies=[STAFF]
    )
    path = "/debtors/{debtor_id}/verifications/{verification_id}"
    for what, decide in (("approve", approve), ("correct", correct), ("reject", reject)):
        router.add_api_route(f"{path}/{what}", decide, methods=["POST"], tags=["verification"], dependencies=[STAFF])


async def list_verifications(
    connection: Connection,
    paging: Paging,
    state: VerificationState | None = None,
    holds: Annotated[bool | None, Query()] = None,
    rule: Filter = None,
    lender_id: Filter = None,
    debtor_id: Filter = None,
) -> Page[VerificationItem]:
    """List verifications in order of debtor: `state=open` is the queue, all others were decided."""
    debtor, verification = paging.after_of_debtor()
    found = await store.verifications(
        connection,
        after=(debtor, verification),
        limit=paging.limit,
        state=state,
        holds=holds,
        rule=rule,
        lender_id=lender_id,
        debtor_id=debtor_id,
    )
    items = [_item(debtor_id, row) for debtor_id, row in found]
    last = f"{items[-1].debtor_id}/{items[-1].verification_id}" if items else None
    return Page[VerificationItem](items=items, next=paging.cursor(last, len(items)))


class _Asking:
    """Who decides about which verification, and where the decision is handed in."""

    def __init__(  # the parts of one request
        self,
        debtor_id: DebtorId,
        verification_id: VerificationId,
        staff: Staff,
        connection: Connection,
        commands: Commands,
        key: IdempotencyKey,
    ) -> None:
        self._debtor_id, self._verification_id, self._staff = debtor_id, verification_id, staff
        self._connection, self._commands, self._key = connection, commands, key

    async def decides(self, choice: Choice, body: Decision) -> DecidedAnswer:
        """Have the debtor's actor apply it. Raises Problem."""
        lender_id = await store.lender_of(self._connection, self._debtor_id, self._verification_id)
        if lender_id is None:
            raise Problem(404, "No such verification", "This debtor has no such verification.", field="verification_id")
        said = body.model_dump(mode="json", exclude_none=True)
        await self._commands.submit(
            kind="lane",
            name="decide-verification",
            owner=self._debtor_id,
            lender_id=lender_id,
            body={"verification_id": self._verification_id, "choice": str(choice), **said},
            key=self._key,
            principal=self._staff,
        )
        return DecidedAnswer(verification_id=self._verification_id, decision=_DECIDED[choice])


Asking = Annotated[_Asking, Depends()]

_DECIDED = {
    Choice.APPROVE: VerificationState.APPROVED,
    Choice.CORRECT: VerificationState.CORRECTED,
    Choice.REJECT: VerificationState.REJECTED,
}


async def approve(asking: Asking, body: Decision) -> DecidedAnswer:
    """Say that it is right as the bank says: the case is worked, and the same finding is not asked about again."""
    return await asking.decides(Choice.APPROVE, body)


async def correct(asking: Asking, body: CorrectingDecision) -> DecidedAnswer:
    """Say what is right: it counts for as long as the bank repeats the very value that was wrong."""
    return await asking.decides(Choice.CORRECT, body)


async def reject(asking: Asking, body: Decision) -> DecidedAnswer:
    """Say that the case is not to be worked: nobody is contacted until it is decided otherwise, or the loan ends."""
    return await asking.decides(Choice.REJECT, body)


def _item(debtor_id: str, row: Verification) -> VerificationItem:
    return VerificationItem(
        debtor_id=debtor_id,
        verification_id=row.verification_id,
        lender_id=row.lender_id,
        loan_id=row.loan_id,
        state=row.state,
        holds=row.holds,
        revision=row.revision,
        findings=[
            FindingItem(rule=each.rule, sentence=each.sentence, values=dict(each.values)) for each in row.findings
        ],
        reported=_reported(row),
        raised_at=row.raised_at,
        raised_on=row.raised_on,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )


def _reported(row: Verification) -> ReportedItem:
    told = row.reported
    return ReportedItem(
        as_of=told.as_of,
        posting_cut_off=told.posting_cut_off,
        currency=told.currency,
        unpaid=domain.unpaid_of(told),
        outstanding=told.outstanding,
        product=told.product,
        portfolio=told.portfolio,
        instalments=[
            InstalmentItem(
                number=each.number,
                due_on=each.due_on,
                principal=each.principal,
                interest=each.interest,
                penalty=each.penalty,
                fee=each.fee,
            )
            for each in told.instalments
        ],
    )

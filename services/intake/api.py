"""What the bank posts to intake, and what people read of its cases."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.intake import views
from services.intake.cases import store
from services.intake.cases.domain.reporting import Schemes
from services.intake.connectors import cloud_events
from services.intake.connectors.sealing import BlindIndex, Sealer
from services.intake.profiles import api as people
from services.intake.profiles.api import DebtorId
from services.intake.verification import api as verification
from services.intake.views import CaseDetail, CaseItem, HistoryItem
from shared.contracts import schemas
from shared.contracts.core_banking import TOPIC, BusinessDateAdvanced
from shared.contracts.envelope import derived_id
from shared.contracts.intake import CaseStatus
from shared.http.auth import Role, require
from shared.http.database import Connection
from shared.http.inputs import NO_NUL, IsoDate
from shared.http.paging import Page, Paging
from shared.http.problems import Problem
from shared.http.publishing import PublicTopic
from shared.messaging.broker import Lane, Outgoing, Record
from shared.service import Rejected
from shared.vault import Vault

MOST_EVENTS = 500
LONGEST_NUMBER = 18
"""Digits that surely fit 64 bits."""

SOURCE = "/fairdue/intake/api"
_CONTENT_TYPE = (("content-type", cloud_events.STRUCTURED.encode()),)
_decode_many = msgspec.json.Decoder(list[msgspec.Raw])

Bank = Depends(require(Role.CORE_BANK))
BankOrOperator = Depends(require(Role.CORE_BANK, Role.OPERATOR))
Reader = Depends(require(Role.OPERATOR, Role.SUPERVISOR))
Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:/@+\-]+$")]


class Accepted(BaseModel):
    """How many events the public topic has acknowledged."""

    model_config = ConfigDict(extra="forbid")

    accepted: int


class NewBusinessDate(BaseModel):
    """The day on which a lender's books stand now."""

    model_config = ConfigDict(extra="forbid")

    lender_id: Identifier
    business_date: IsoDate


class DebtorItem(BaseModel):
    """The pseudonym under which a bank's party is known here."""

    model_config = ConfigDict(extra="forbid")

    debtor_id: str


def routes(vault: Vault, schemes: Schemes, index: BlindIndex) -> APIRouter:
    """The routes of intake."""
    router = APIRouter(prefix="/v1")
    _bank_routes(router, vault)
    _case_routes(router, schemes)
    people.add_to(router, index)
    verification.add_to(router)
    return router


def _bank_routes(router: APIRouter, vault: Vault) -> None:
    posted, trying = schemas.posted(MOST_EVENTS), Sealer.for_trying(vault)

    @router.post(
        "/loan-events",
        status_code=202,
        tags=["bank"],
        dependencies=[Bank],
        openapi_extra={"requestBody": {"required": True, "content": {cloud_events.STRUCTURED: {"schema": posted}}}},
    )
    async def post_loan_events(request: Request, public: PublicTopic) -> Accepted:
        """Take in one structured CloudEvent, or an array of up to 500: all of them, or none if one is bad."""
        records = _records(await request.body(), trying)
        await public.append(records)
        return Accepted(accepted=len(records))

    @router.post("/business-dates", status_code=202, tags=["bank"], dependencies=[BankOrOperator])
    async def post_business_date(news: NewBusinessDate, public: PublicTopic) -> Accepted:
        """Say that a lender's books stand on a new day."""
        await public.append([_checked(_business_date(news), "", trying)])
        return Accepted(accepted=1)

    @router.get(
        "/debtors", tags=["bank"], dependencies=[Depends(require(Role.CORE_BANK, Role.OPERATOR, Role.SUPERVISOR))]
    )
    def get_debtor(
        lender_id: Annotated[Identifier, Query()],
        party_id: Annotated[str, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")],
    ) -> DebtorItem:
        """Name the debtor of a lender's party, whether or not there is a case."""
        return DebtorItem(debtor_id=vault.pseudonym(lender_id, party_id))


def _case_routes(router: APIRouter, schemes: Schemes) -> None:
    @router.get("/cases", tags=["cases"], dependencies=[Reader])
    async def list_cases(
        connection: Connection,
        paging: Paging,
        status: CaseStatus | None = None,
        bucket: Annotated[str | None, Query(max_length=64, pattern=NO_NUL)] = None,
        lender_id: Annotated[str | None, Query(max_length=128, pattern=NO_NUL)] = None,
    ) -> Page[CaseItem]:
        """List cases as last told; `bucket` finds the cases that have a loan in it."""
        found = await store.cases(
            connection, lender_id=lender_id, status=status, bucket=bucket, after=paging.after, limit=paging.limit
        )
        items = [views.case_item(debtor_id, case) for debtor_id, case in found]
        return Page[CaseItem](items=items, next=paging.cursor(items[-1].debtor_id if items else None, len(items)))

    @router.get("/cases/{debtor_id}", tags=["cases"], dependencies=[Reader])
    async def get_case(connection: Connection, debtor_id: DebtorId) -> CaseDetail:
        """Show a debtor's case, with days past due on the business date of today."""
        file = await store.debtor_file(connection, debtor_id)
        if file.case is None:
            raise Problem(404, "No such case", "There is no case of this debtor.", field="debtor_id")
        today = await store.business_date(connection, debtor_id, file.case.lender_id)
        return views.case_detail(file, file.case, today, schemes)

    @router.get("/cases/{debtor_id}/history", tags=["cases"], dependencies=[Reader])
    async def get_history(connection: Connection, paging: Paging, debtor_id: DebtorId) -> Page[HistoryItem]:
        """Show what was told of a debtor, oldest first."""
        found = await store.history(connection, debtor_id, after=_number(paging.after), limit=paging.limit)
        items = [views.history_item(entry) for entry in found]
        return Page[HistoryItem](items=items, next=paging.cursor(str(found[-1].number) if found else None, len(items)))


# -- what the bank posts -----------------------------------------------------------------------------------------


def _records(body: bytes, trying: Sealer) -> list[Outgoing]:
    """The events as records. Raises Problem, which names the event and the field."""
    many = body.lstrip(b" \t\r\n").startswith(b"[")
    events = _parts(body) if many else [body]
    if not 0 < len(events) <= MOST_EVENTS:
        raise Problem(422, "Invalid input", f"Send 1 to {MOST_EVENTS} events.", field="body")
    return [
        _checked(Outgoing(None, event, _CONTENT_TYPE), f"[{place}]" if many else "", trying)
        for place, event in enumerate(events)
    ]


def _parts(body: bytes) -> list[bytes]:
    try:
        return [bytes(part) for part in _decode_many.decode(body)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Problem(400, "Malformed body", "The body is not valid JSON.", field="body") from None


def _checked(outgoing: Outgoing, place: str, trying: Sealer) -> Outgoing:
    """The record, if ingress would take it. A loan's events share a key, so that they keep their order."""
    record = Record(Lane(TOPIC, 0), 0, None, outgoing.value, outgoing.headers, datetime.now(UTC))
    try:
        event = cloud_events.decode(record, trying)
    except Rejected as refusal:
        field = ".".join(part for part in (place, refusal.field) if part)
        raise Problem(422, "Invalid event", refusal.reason, field=field or "body") from None
    return Outgoing(_key(event.data if event else None), outgoing.value, outgoing.headers)


def _key(data: Any) -> bytes | None:
    loan_id = getattr(data, "loan_id", None)
    return None if loan_id is None else f"{data.lender_id}/{loan_id}".encode()


def _business_date(news: NewBusinessDate) -> Outgoing:
    event = BusinessDateAdvanced(lender_id=news.lender_id, business_date=news.business_date)
    event_id = derived_id(f"{news.lender_id}/{news.business_date}", 0)
    return cloud_events.outgoing(event, source=SOURCE, event_id=event_id, time=datetime.now(UTC))


def _number(cursor: str | None) -> int:
    """The history entry that a cursor stands for. Raises Problem."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or not cursor.isascii() or len(cursor) > LONGEST_NUMBER:
        raise Problem(422, "Invalid input", "This is not a cursor that a page of this list gave.", field="after")
    return int(cursor)

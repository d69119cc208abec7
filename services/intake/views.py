"""How cases look over REST."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.intake.cases.domain import arrears, lifecycle
from services.intake.cases.domain.facts import Case, DebtorFile, LoanView
from services.intake.cases.domain.reporting import Schemes
from services.intake.cases.store import HistoryEntry


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoanItem(_Item):
    """A loan; amounts in minor units of `currency`."""

    loan_id: str
    product: str
    portfolio: str
    currency: str
    past_due: int
    outstanding: int
    oldest_due_on: date | None
    scheme: str
    bucket: str
    closed_as: str | None


class CaseItem(_Item):
    """A case as last told; `business_date` is the date that it was told for."""

    debtor_id: str
    case_id: str
    lender_id: str
    status: str
    disposition: str | None
    version: int
    opened_on: date
    business_date: date
    oldest_due_on: date | None
    jurisdiction: str
    district: str
    loans: list[LoanItem]


class InstalmentItem(_Item):
    """What is unpaid of an instalment; number 0 is a payment that was taken back."""

    number: int
    due_on: date
    principal: int
    interest: int
    penalty: int
    fee: int


class LoanDetail(LoanItem):
    """A loan today, with what is unpaid of it."""

    days_past_due: int = Field(description="Calendar days since the oldest unpaid due date; 0 on that date itself.")
    unpaid: list[InstalmentItem]


class CaseDetail(_Item):
    """A case on the lender's business date of today."""

    debtor_id: str
    case_id: str
    lender_id: str
    status: str
    disposition: str | None
    version: int
    opened_on: date
    business_date: date
    days_past_due: int
    oldest_due_on: date | None
    jurisdiction: str
    district: str
    loans: list[LoanDetail]


class HistoryItem(_Item):
    """A fact that was told of the debtor."""

    id: str
    type: str
    case_version: int
    actor: str
    caused_by: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]


def case_item(debtor_id: str, case: Case) -> CaseItem:
    """A case as last told."""
    return CaseItem(
        debtor_id=debtor_id,
        case_id=case.case_id,
        lender_id=case.lender_id,
        status=case.status,
        disposition=case.disposition,
        version=case.version,
        opened_on=case.opened_on,
        business_date=case.business_date,
        oldest_due_on=case.oldest_due_on,
        jurisdiction=case.jurisdiction,
        district=case.district,
        loans=[LoanItem(**_loan(view)) for view in case.loans],
    )


def case_detail(file: DebtorFile, case: Case, today: date, schemes: Schemes) -> CaseDetail:
    """A case as it stands on a business date."""
    found = lifecycle.appraise(file, today, schemes)
    if found is None:
        raise ValueError(case.case_id)
    on = found.business_date
    return CaseDetail(
        debtor_id=file.debtor_id,
        case_id=case.case_id,
        lender_id=case.lender_id,
        status=found.status,
        disposition=found.disposition,
        version=case.version,
        opened_on=case.opened_on,
        business_date=on,
        days_past_due=arrears.days_past_due(found.oldest_due_on, on),
        oldest_due_on=found.oldest_due_on,
        jurisdiction=found.jurisdiction,
        district=found.district,
        loans=[_loan_detail(file, view, on) for view in found.loans],
    )


def history_item(entry: HistoryEntry) -> HistoryItem:
    """A fact as it was told."""
    return HistoryItem(
        id=entry.event_id,
        type=entry.type,
        case_version=entry.case_version,
        actor=entry.actor,
        caused_by=entry.caused_by,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        data=entry.data,
    )


def _loan(view: LoanView) -> dict[str, Any]:
    return {
        "loan_id": view.loan_id,
        "product": view.product,
        "portfolio": view.portfolio,
        "currency": view.currency,
        "past_due": view.past_due,
        "outstanding": view.outstanding,
        "oldest_due_on": view.oldest_due_on,
        "scheme": view.scheme,
        "bucket": view.bucket,
        "closed_as": view.closed_as or None,
    }


def _loan_detail(file: DebtorFile, view: LoanView, on: date) -> LoanDetail:
    days = arrears.days_past_due(view.oldest_due_on, on)
    return LoanDetail(**_loan(view), days_past_due=days, unpaid=_unpaid(file, view.loan_id))


def _unpaid(file: DebtorFile, loan_id: str) -> list[InstalmentItem]:
    loan = file.loans[loan_id]
    if loan.base is None or loan.is_closed:
        return []
    items, _ = arrears.unpaid(loan.base, (each for each in file.payments.values() if each.loan_id == loan_id))
    return [
        InstalmentItem(
            number=each.number,
            due_on=each.due_on,
            principal=each.principal,
            interest=each.interest,
            penalty=each.penalty,
            fee=each.fee,
        )
        for each in items
    ]

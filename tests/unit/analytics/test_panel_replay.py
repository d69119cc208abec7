"""The real panel, as its connector tells it and analytics counts it, against counts taken from the file alone.

In between stands the least that a case keeper could be: a case per account that follows snapshots, payments, closings
and the business date.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.analytics.domain.rolls import month_of, panel_label, transitions_of
from services.analytics.domain.rows import DebtorRecord, Roll
from services.analytics.service import HANDLERS
from services.analytics.store import LAYOUT
from services.intake.connectors.card_panel import CardPanel
from shared.contracts import core_banking, intake
from shared.contracts.envelope import Event, Fact, Moment
from tests.real_data import card_panel

ACCOUNTS = 1_500
AT = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_DAYS = (150, 120, 90, 60, 30, 1)


@dataclass
class Keeper:
    """Turns the bank's events into case facts; it holds the unpaid due dates of each loan."""

    today: date = date.min
    due: dict[str, list[date]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    told: dict[str, intake.CaseSummary] = field(default_factory=dict)

    def hear(self, fact: Fact) -> Iterator[tuple[str, Fact]]:
        match fact:
            case core_banking.BusinessDateAdvanced():
                self.today = fact.business_date
                for account in list(self.due):
                    before, case = self.told[account], self.case(account)
                    if before.loans[0].bucket != case.loans[0].bucket:
                        yield account, intake.DelinquencyRangeChanged(case=case)
            case core_banking.PaymentPosted():
                left = [due for due in self.due[fact.loan_id] if not due <= (fact.settled_due_on or date.min)]
                self.due[fact.loan_id] = left
                yield (
                    fact.loan_id,
                    intake.PaymentPosted(
                        case=self.case(fact.loan_id),
                        loan_id=fact.loan_id,
                        payment_id=fact.payment_id,
                        amount=fact.amount,
                        currency=fact.currency,
                        posted_at=fact.posted_at,
                    ),
                )
            case core_banking.LoanOverdue():
                self.due[fact.loan_id] = [i.due_on for i in fact.instalments]
                self.ended.pop(fact.loan_id, None)
                yield fact.loan_id, intake.CaseUpdated(case=self.case(fact.loan_id))
            case core_banking.LoanClosed():
                self.due[fact.loan_id], self.ended[fact.loan_id] = [], fact.reason
                yield fact.loan_id, intake.CaseClosed(case=self.case(fact.loan_id))
            case _:
                pass

    def case(self, account: str) -> intake.CaseSummary:
        summary = intake.LoanSummary(
            loan_id=account, product="card", portfolio="card-panel", currency="CNY", past_due=1, outstanding=1,
            oldest_due_on=None, scheme="panel", bucket=self.bucket(account), closed_as=self.ended.get(account, ""),
        )  # fmt: skip
        self.told[account] = intake.CaseSummary(
            case_id=account, status=intake.CaseStatus.OPEN, opened_on=self.today, business_date=self.today,
            oldest_due_on=None, jurisdiction="CN", district="", loans=(summary,),
        )  # fmt: skip
        return self.told[account]

    def bucket(self, account: str) -> str:
        if account in self.ended:
            return "closed"
        if not self.due[account]:
            return "current"
        days = (self.today - min(self.due[account])).days
        return next(str(5 - place) for place, first in enumerate(FIRST_DAYS) if days >= first)


def replayed() -> Counter[tuple[str, str]]:
    keeper, records, versions = Keeper(), dict[str, DebtorRecord](), Counter[str]()
    for month in CardPanel(card_panel(), ACCOUNTS).months():
        for sent in month.events:
            for account, fact in keeper.hear(sent.fact):
                versions[account] += 1
                event: Event[Any] = Event(
                    id=sent.event_id, type="", lender_id="card-bank", debtor_id=account,
                    case_version=versions[account], occurred_at=AT, recorded_at=AT, data=fact,
                )  # fmt: skip
                record = records.get(account) or LAYOUT.empty(account)
                records[account], _ = HANDLERS[type(fact)](record, event, Moment(AT, keeper.today))
    rolls: list[Roll] = [roll for record in records.values() for roll in record.rolls]
    totals: Counter[tuple[str, str]] = Counter()
    for transition in transitions_of(rolls, {"card-bank": month_of(keeper.today)}):
        label = panel_label(transition)
        if label is not None:
            totals[label] += transition.loans
    return totals


def counted_from_the_file() -> Counter[tuple[str, str]]:
    accounts: dict[str, dict[int, str]] = {}
    with zipfile.ZipFile(card_panel()) as archive:
        for line in archive.read("credit_record.csv").decode().split()[1:]:
            account, age, status = line.split(",")
            accounts.setdefault(account, {})[int(age)] = status
    totals: Counter[tuple[str, str]] = Counter()
    for account in sorted(accounts)[:ACCOUNTS]:
        before = "new"
        for _, status in sorted(accounts[account].items()):
            if status in "012345":
                totals[before, status] += 1
                before = status
            elif before not in ("new", "closed"):
                totals[before, status] += 1
                before = "closed"
    return totals


@pytest.mark.slow
def test_the_transitions_of_a_replay_are_those_of_the_file() -> None:
    expected = counted_from_the_file()
    assert sum(expected.values()) > 10_000
    assert replayed() == expected

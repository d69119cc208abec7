"""A made-up bank goes through the gate whole: what is consistent has no findings, what is planted has its own."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest

from services.intake.cases import store
from services.intake.cases.domain.facts import DebtorFile
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    LoanClosed,
    LoanOverdue,
    OfLoan,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Moment
from shared.contracts.ingress import LoanEnded, LoanReported, PaymentReceived, PaymentTakenBack
from tests.unit.intake.play import HANDLERS, event, instant

FIRST_DAY, DAYS, LOANS = date(2026, 1, 5), 60, 400
ON_LANE: Any = {
    LoanOverdue: lambda fact: LoanReported(loan=fact),
    PaymentPosted: lambda fact: PaymentReceived(payment=fact),
    PaymentReversed: lambda fact: PaymentTakenBack(reversal=fact),
    LoanClosed: lambda fact: LoanEnded(closing=fact),
}


def facts(seed: int) -> Iterator[Any]:
    bank = SyntheticBank(seed, LOANS, FIRST_DAY)
    for day in range(DAYS):
        for slot in range(SLOTS):
            yield from (sent.fact for sent in bank.events(day, slot))


def files_of(told: Iterator[Any]) -> dict[str, DebtorFile]:
    """Each loan as if it were its debtor's only one, after everything that was told."""
    files: dict[str, DebtorFile] = {}
    today = date.min
    for fact in told:
        if isinstance(fact, BusinessDateAdvanced):
            today = fact.business_date
        if not isinstance(fact, OfLoan):
            continue
        heard = ON_LANE[type(fact)](fact)
        known = files.get(fact.loan_id) or store.LAYOUT.empty("d" * 32)
        moment = Moment(instant("2026-01-01"), today)
        files[fact.loan_id], _ = HANDLERS[type(heard)](known, event(heard), moment)
    return files


@pytest.mark.parametrize("seed", [1, 7])
def test_the_book_of_the_demo_has_no_findings(seed: int) -> None:
    files = files_of(facts(seed))
    assert len(files) > LOANS / 10
    found = Counter(
        finding.rule for file in files.values() for item in file.verifications.values() for finding in item.findings
    )
    assert found == {}


def test_what_is_planted_in_the_book_is_found_and_nothing_else() -> None:
    planted: list[str] = []

    def spoilt() -> Iterator[Any]:
        for fact in facts(1):
            due = isinstance(fact, LoanOverdue) and fact.instalments
            if due and len(planted) < 5 and fact.loan_id not in planted:
                planted.append(fact.loan_id)
                yield msgspec.structs.replace(fact, outstanding=1)
            else:
                yield fact

    files = files_of(spoilt())
    assert sorted(name for name, file in files.items() if file.verifications) == sorted(planted)

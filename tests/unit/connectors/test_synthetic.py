import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import pytest

from services.intake.connectors import sending
from services.intake.connectors.sending import Sent
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from shared.contracts import catalogue
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    LoanClosed,
    LoanOverdue,
    OfLoan,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact

FactT = TypeVar("FactT", bound=Fact)

FIRST_DAY = date(2026, 1, 5)
DAYS = 60
LOANS = 600


def whole(bank: SyntheticBank, days: int = DAYS) -> list[list[list[Sent]]]:
    return [[bank.events(n, slot) for slot in range(SLOTS)] for n in range(days)]


@pytest.fixture(scope="module")
def told() -> list[list[list[Sent]]]:
    return whole(SyntheticBank(1, LOANS, FIRST_DAY))


class Heard(NamedTuple, Generic[FactT]):
    """An event of a known type."""

    event_id: str
    fact: FactT


def facts(told: Iterable[Iterable[Iterable[Sent]]], kind: type[FactT]) -> list[Heard[FactT]]:
    events = (sent for day in told for slot in day for sent in slot)
    return [Heard(sent.event_id, sent.fact) for sent in events if isinstance(sent.fact, kind)]


# -- the same for ever -------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (msgspec.json.encode(whole(SyntheticBank(seed, 100, FIRST_DAY), 20)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_loan_lives_the_same_life_in_a_larger_book() -> None:
    small, large = (facts(whole(SyntheticBank(1, loans, FIRST_DAY), 20), LoanOverdue) for loans in (13, 130))
    of_small = {sent.fact.loan_id for sent in small}
    assert small == [sent for sent in large if sent.fact.loan_id in of_small]
    assert small


@pytest.mark.parametrize(
    "order",
    [
        pytest.param([(9, 2)], id="a day in the middle first"),
        pytest.param([(12, 0), (12, 3), (3, 1), (9, 2)], id="back and forth"),
    ],
)
def test_days_may_be_asked_for_in_any_order(order: list[tuple[int, int]]) -> None:
    in_order = whole(SyntheticBank(5, 200, FIRST_DAY), 13)
    bank = SyntheticBank(5, 200, FIRST_DAY)
    for n, slot in order:
        assert bank.events(n, slot) == in_order[n][slot]


def test_what_is_handed_out_can_be_changed_without_harm() -> None:
    bank = SyntheticBank(1, 50, FIRST_DAY)
    before = bank.events(0, 0)
    bank.events(0, 0).clear()
    bank.ledger(0).clear()
    assert bank.events(0, 0) == before
    assert bank.ledger(0)


# -- the ledger --------------------------------------------------------------------------------------------------------


@dataclass
class ReadLoan:
    """A loan as a reader knows it: its newest snapshot, its payments by id, and its closing."""

    snapshot: LoanOverdue | None = None
    payments: dict[str, PaymentPosted | PaymentReversed] = field(default_factory=dict)
    reversals: dict[str, PaymentReversed] = field(default_factory=dict)
    closed_at: datetime | None = None

    def past_due(self, on: date) -> int:
        if self.snapshot is None:
            return 0
        cut_off = self.snapshot.posting_cut_off
        if self.closed_at is not None and self.closed_at >= cut_off:
            return 0
        owed = sum(i.principal + i.interest + i.penalty + i.fee for i in self.snapshot.instalments if i.due_on < on)
        for payment_id, payment in self.payments.items():
            reversal = self.reversals.get(payment_id)
            if payment.posted_at > cut_off and reversal is None:
                owed = max(owed - payment.amount, 0)
            elif payment.posted_at <= cut_off and reversal is not None and reversal.reversed_at > cut_off:
                owed += payment.amount
        return owed


class Reader:
    """Applies the bank's events by their content alone, in whatever order they come."""

    def __init__(self) -> None:
        self.loans: dict[str, ReadLoan] = {}

    def hear(self, sent: Sent) -> None:
        loan = self.loans.setdefault(getattr(sent.fact, "loan_id", ""), ReadLoan())
        match sent.fact:
            case LoanOverdue() as snapshot:
                if loan.snapshot is None or snapshot.posting_cut_off > loan.snapshot.posting_cut_off:
                    loan.snapshot = snapshot
            case PaymentPosted() as payment:
                loan.payments[payment.payment_id] = payment
            case PaymentReversed() as reversal:
                loan.reversals[reversal.payment_id] = reversal
            case LoanClosed() as closing:
                loan.closed_at = closing.closed_at
            case _:
                pass

    def ledger(self, on: date) -> dict[str, int]:
        owed = {loan_id: loan.past_due(on) for loan_id, loan in self.loans.items()}
        return {loan_id: amount for loan_id, amount in owed.items() if amount}


@pytest.mark.parametrize("seed", range(1, 6))
def test_after_each_night_a_reader_owes_what_the_bank_says(seed: int) -> None:
    bank, reader, shuffle = SyntheticBank(seed, 400, FIRST_DAY), Reader(), random.Random(seed)
    for n in range(DAYS):
        for slot in range(SLOTS):
            events = bank.events(n, slot)
            shuffle.shuffle(events)
            for sent in events:
                reader.hear(sent)
            if slot == 0:
                assert reader.ledger(bank.day(n)) == bank.ledger(n), bank.day(n)


# -- what it does to its readers ---------------------------------------------------------------------------------------


def test_business_days_are_weekdays_that_are_no_holiday_in_china() -> None:
    bank = SyntheticBank(1, 1, date(2026, 2, 14))
    assert [bank.day(n) for n in range(3)] == [date(2026, 2, 24), date(2026, 2, 25), date(2026, 2, 26)]
    assert [bank.day(n).weekday() for n in (2, 3, 4)] == [3, 4, 0]


def test_each_night_begins_with_its_business_date(told: list[list[list[Sent]]]) -> None:
    bank = SyntheticBank(1, LOANS, FIRST_DAY)
    for n, day in enumerate(told):
        assert day[0][0].fact == BusinessDateAdvanced(lender_id="synthetic-bank", business_date=bank.day(n))
        assert all(isinstance(sent.fact, LoanOverdue) for sent in day[0][1:])
        assert not any(isinstance(sent.fact, BusinessDateAdvanced | LoanOverdue) for sent in day[1] if not resent(sent))


def resent(sent: Sent | Heard[Any]) -> bool:
    return sent.event_id.endswith("/again")


def test_no_two_events_have_the_same_id(told: list[list[list[Sent]]]) -> None:
    ids = Counter(sent.event_id for day in told for slot in day for sent in slot)
    assert ids.most_common(1)[0][1] == 1


def test_every_event_is_one_that_the_contracts_accept(told: list[list[list[Sent]]]) -> None:
    for day in told[:20]:
        for slot in day:
            for sent in slot:
                fact = catalogue.fact_type(catalogue.wire_name(type(sent.fact)))
                assert msgspec.json.decode(msgspec.json.encode(sent.fact), type=fact) == sent.fact
                assert sent.time.tzinfo is not None


def test_instalments_are_reported_when_they_are_overdue_and_again_only_when_something_changed(
    told: list[list[list[Sent]]],
) -> None:
    last: dict[str, LoanOverdue] = {}
    taken_back = {sent.fact.loan_id for sent in facts(told, PaymentReversed)}
    for sent in facts(told, LoanOverdue):
        snapshot = sent.fact
        if resent(sent):
            continue
        assert all(i.due_on < snapshot.as_of for i in snapshot.instalments)
        before = last.get(snapshot.loan_id)
        if before is not None and snapshot.loan_id not in taken_back:
            assert snapshot.instalments != before.instalments
        last[snapshot.loan_id] = snapshot
    assert last


def test_a_loan_is_named_with_its_debtor_first_and_sometimes_alone_later(told: list[list[list[Sent]]]) -> None:
    known: dict[str, str] = {}
    alone = 0
    for day in told:
        for slot in day:
            for sent in slot:
                if isinstance(sent.fact, OfLoan):
                    loan_id, party = sent.fact.loan_id, sent.fact.party_id
                    alone += party == ""
                    assert party in ("", known.setdefault(loan_id, party))
                    assert known[loan_id]
    assert alone > 100


def test_some_payments_are_told_after_a_snapshot_that_holds_them(told: list[list[list[Sent]]]) -> None:
    late = 0
    for day in told:
        cut_off = day[0][0].time
        late += sum(sent.fact.posted_at < cut_off for sent in facts([day], PaymentPosted) if not resent(sent))
    assert 0.01 < late / len(facts(told, PaymentPosted)) < 0.06


def test_about_one_payment_in_a_hundred_is_taken_back_and_never_before_it_was_told() -> None:
    told = whole(SyntheticBank(2, 2_000, FIRST_DAY))
    known: dict[str, PaymentPosted] = {}
    reversals = 0
    for sent in facts(told, Fact):
        if isinstance(sent.fact, PaymentPosted):
            known[sent.fact.payment_id] = sent.fact
        if isinstance(sent.fact, PaymentReversed) and not resent(sent):
            reversals += 1
            assert known[sent.fact.payment_id].amount == sent.fact.amount
            assert sent.fact.reversed_at > sent.fact.posted_at
    assert 0.006 < reversals / len(known) < 0.014


def test_a_loan_is_reported_in_the_night_after_a_reversal_whatever_it_then_owes() -> None:
    told = whole(SyntheticBank(2, 3_000, FIRST_DAY))
    ended: set[str] = set()
    unchanged = 0
    last: dict[str, LoanOverdue | None] = {}
    for today, tomorrow in pairwise(told):
        last.update((sent.fact.loan_id, sent.fact) for sent in facts([[today[0]]], LoanOverdue))
        ended |= {sent.fact.loan_id for sent in facts([today], LoanClosed)}
        reported = {sent.fact.loan_id: sent.fact for sent in facts([[tomorrow[0]]], LoanOverdue)}
        for sent in facts([today], PaymentReversed):
            if sent.fact.loan_id not in ended and not resent(sent):
                snapshot, before = reported[sent.fact.loan_id], last.get(sent.fact.loan_id)
                unchanged += snapshot.instalments == (before.instalments if before else ())
    assert unchanged


def test_some_events_are_sent_twice_with_the_same_content(told: list[list[list[Sent]]]) -> None:
    by_id = {sent.event_id: sent.fact for sent in facts(told, Fact)}
    again = [name for name in by_id if name.endswith("/again")]
    assert again
    assert all(by_id[name] == by_id[name.removesuffix("/again")] for name in again)


def test_the_book_shows_every_bucket_product_and_ending() -> None:
    bank = SyntheticBank(1, 5_000, FIRST_DAY)
    told = whole(bank, 40)
    snapshots = [sent.fact for sent in facts(told, LoanOverdue)]
    days = {
        min(((s.as_of - min(i.due_on for i in s.instalments)).days - 1) // 30, 4) for s in snapshots if s.instalments
    }
    endings = {sent.fact.reason for sent in facts(told, LoanClosed)}
    assert days == {0, 1, 2, 3, 4}
    assert len({s.product for s in snapshots}) == 4
    assert {s.district for s in snapshots} == set(sending.DISTRICTS)
    assert endings == {ClosingReason.PAID, ClosingReason.SETTLED, ClosingReason.WRITTEN_OFF}
    assert any(not s.instalments for s in snapshots)
    assert any(i.fee for s in snapshots for i in s.instalments)


def test_thirteen_loans_have_ten_debtors() -> None:
    told = whole(SyntheticBank(3, 1_300, FIRST_DAY), 30)
    parties = {sent.fact.loan_id: sent.fact.party_id for sent in facts(told, PaymentPosted) if sent.fact.party_id}
    assert 1.2 < len(parties) / len(set(parties.values())) < 1.4


def test_people_do_not_exist(told: list[list[list[Sent]]]) -> None:
    people = [sent.fact for sent in facts(told, PartyProfile)]
    assert people
    for person in people:
        assert person.id_number.startswith("000000")
        mobiles = [each.value for each in person.contacts if each.kind == "mobile"]
        assert mobiles
        assert all(number.startswith("+86100") for number in mobiles)
        assert all(each.value.endswith("@example.com") for each in person.contacts if each.kind == "email")


@pytest.mark.parametrize(
    ("n", "slot"), [pytest.param(-1, 0, id="a day before the first"), pytest.param(0, 4, id="a fifth slot")]
)
def test_there_is_no_such_time(n: int, slot: int) -> None:
    with pytest.raises(ValueError, match="there is no day"):
        SyntheticBank(1, 1, FIRST_DAY).events(n, slot)


def test_a_bank_without_loans_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one loan"):
        SyntheticBank(1, 0, FIRST_DAY)

"""A made-up bank for demos: everything it ever sends is a pure function of the seed and the number of loans.

A day n has four slots. Slot 0 is the night batch: the books move to business date n, then each loan whose unpaid
instalments are others than in its last snapshot (or that had a payment taken back since) is reported as of that date,
with a posting cut-off at 00:00; a loan that owes nothing any more is so reported with an empty list. An overdue loan of
which nothing has changed is not sent again. Slots 1 to 3 are the daytime: payments, reversals, closings, personal data.

It does to its readers what banks do: payments are told days late though the books had them in time (so a snapshot may
hold a payment that arrives after it), about 1 % are taken back, some events are sent twice under another id, some loans
are named without their debtor after the first event, and payments are told of loans that were never overdue.

The ledger is consistent: money pays the oldest due date first and, within it, fee, penalty, interest, principal. So a
reader that has applied slot 0 of a day owes for each loan what `ledger` says, whatever came late, twice or disordered.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import holidays

from services.intake.connectors.sending import CHINA, Sent
from services.intake.connectors.synthetic_book import BookLoan, Dice, loans_of
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactSource,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact

LENDER: Final = "synthetic-bank"
PORTFOLIO: Final = "default"
CURRENCY: Final = "CNY"
SLOTS: Final = 4
NIGHT: Final = 0
SATURDAY: Final = 5

MIDNIGHT, BATCH_AT = time(0, 0), time(2, 0)
OPENS_AT: Final = {1: time(9, 0), 2: time(12, 0), 3: time(15, 0)}
"""When each daytime slot begins. Payments come in its first 170 minutes; at 18:00 and later, what takes them back."""

REVERSED_AT, ENDED_AT = time(18, 0), time(20, 0)
EARLY: Final = timedelta(days=3)

# Chances in ten-thousandths.
TOLD_LATE, TAKEN_BACK, SENT_TWICE, SETTLING_UNKNOWN = 300, 120, 50, 2_000
WRITTEN_OFF_AFTER, WRITTEN_OFF = 150, 100
SETTLED_AFTER, SETTLED = 60, 40
NEW_PHONE = 5
HAS_GUARANTOR, VERIFIED = 1_000, 8_000


class SyntheticBank:
    """The bank. Days may be asked for in any order; going back starts again from the first day."""

    def __init__(self, seed: int, loans: int, first_day: date) -> None:
        """A book of so many loans, opened on `first_day` or the first business day after it. Raises ValueError."""
        if loans < 1:
            raise ValueError(f"a bank needs at least one loan, not {loans}")
        self._seed, self._loans, self._first_day = seed, loans, first_day
        self._days = [_business_day_from(first_day)]
        self._run = _Run(self, seed, loans, self._days[0])

    def day(self, n: int) -> date:
        """The business date of day n, from 0 on: weekdays that are no public holiday in China."""
        while len(self._days) <= n:
            self._days.append(_business_day_from(self._days[-1] + timedelta(days=1)))
        return self._days[n]

    def events(self, n: int, slot: int) -> list[Sent]:
        """What the bank sends in a slot of day n, in its order."""
        if n < 0 or not 0 <= slot < SLOTS:
            raise ValueError(f"there is no day {n}, slot {slot}")
        return list(self._at(n).sent[slot])

    def ledger(self, n: int) -> dict[str, int]:
        """What is past due on each loan after the night batch of day n, in minor units.

        A loan that is not in it owes nothing past due, or has ended.
        """
        return dict(self._at(n).ledger)

    def _at(self, n: int) -> "_Run":
        if n < self._run.today:
            self._run = _Run(self, self._seed, self._loans, self._days[0])
        while self._run.today < n:
            self._run.advance()
        return self._run


def _business_day_from(day: date) -> date:
    while day.weekday() >= SATURDAY or day in _public_holidays(day.year):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=64)
def _public_holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("CN", years=year))


class _Run:
    """The bank's life from the first day on; it holds the events of one day, `today`, and what is told later."""

    def __init__(self, bank: SyntheticBank, seed: int, loans: int, first_day: date) -> None:
        self._bank, self._seed, self._dice = bank, seed, Dice(seed)
        self._loans = list(loans_of(self._dice, loans, first_day))
        self._later: dict[tuple[int, int], list[Sent]] = {}
        self._reversals: dict[int, list[tuple[BookLoan, PaymentPosted]]] = {}
        self._introduced: list[str] = []
        self._known: set[str] = set()
        self.today = -1
        self.sent: tuple[list[Sent], ...] = ()
        self.ledger: dict[str, int] = {}

    def advance(self) -> None:
        """Live through the next day."""
        self.today += 1
        self.sent = tuple(self._later.pop((self.today, slot), []) for slot in range(SLOTS))
        as_of, tomorrow = self._bank.day(self.today), self._bank.day(self.today + 1)
        self._night(as_of)
        for loan in self._loans:
            if not loan.closed:
                self._day_of(loan, as_of, tomorrow)
        for loan, payment in self._reversals.pop(self.today, []):
            if not loan.closed:
                self._take_back(loan, payment, as_of)
        self._update_debtors(as_of)
        for sent in self.sent[1:]:
            sent.sort(key=lambda event: (event.time, event.event_id))

    # -- the night ----------------------------------------------------------------------------------------------------

    def _night(self, as_of: date) -> None:
        moved = BusinessDateAdvanced(lender_id=LENDER, business_date=as_of)
        advanced = Sent(f"{LENDER}/{self._seed}/{as_of}/business-date", _at(as_of, MIDNIGHT), moved)
        self.sent[NIGHT].insert(0, advanced)
        self.ledger = {}
        for loan in self._loans:
            oldest = None if loan.closed else loan.oldest_unpaid()
            if (oldest is not None and oldest < as_of) or (not loan.closed and (loan.reported or loan.stale)):
                self._report(loan, as_of)

    def _report(self, loan: BookLoan, as_of: date) -> None:
        loan.charge(as_of)
        unpaid = loan.unpaid(as_of)
        if unpaid:
            self.ledger[loan.loan_id] = loan.owed(as_of)
        if unpaid == (loan.reported or ()) and not loan.stale:
            return
        loan.reported, loan.stale = unpaid, False
        self._introduce(loan, as_of)
        snapshot = LoanOverdue(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan),
            as_of=as_of,
            posting_cut_off=_at(as_of, MIDNIGHT),
            currency=CURRENCY,
            instalments=unpaid,
            outstanding=loan.outstanding(),
            product=loan.product,
            portfolio=PORTFOLIO,
            district=loan.district,
        )
        self._send(NIGHT, loan.loan_id, "snapshot", _at(as_of, BATCH_AT), snapshot)

    # -- the day ------------------------------------------------------------------------------------------------------

    def _day_of(self, loan: BookLoan, today: date, tomorrow: date) -> None:
        oldest = loan.oldest_unpaid()
        if oldest is None or oldest >= tomorrow + EARLY:
            return
        if self._ends_otherwise(loan, oldest, today):
            return
        if self._dice.happens(_chance(loan, oldest, today, tomorrow), loan.number, today, "pays"):
            due = loan.owed(max(tomorrow, oldest + timedelta(days=1)))
            self._pay(loan, oldest, today, self._part_of(loan, due, today))

    def _part_of(self, loan: BookLoan, due: int, today: date) -> int:
        if not self._dice.happens(loan.temper.partial, loan.number, today, "pays in part"):
            return due
        return max(due * (20 + self._dice.number(61, loan.number, today, "part")) // 100, 1)

    def _pay(self, loan: BookLoan, oldest: date, today: date, amount: int) -> None:
        slot = 1 + self._dice.number(3, loan.number, today, "slot")
        posted_at = _at(today, OPENS_AT[slot]) + timedelta(
            minutes=self._dice.number(170, loan.number, today, "minute"),
            seconds=self._dice.number(60, loan.number, today, "second"),
        )
        settling_unknown = self._dice.happens(SETTLING_UNKNOWN, loan.number, today, "settling unknown")
        told_on, told_in = self._told(loan, today, slot)
        payment = PaymentPosted(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan) if told_on == self.today else loan.party_id,
            payment_id=f"{loan.loan_id}/{today}",
            amount=amount,
            currency=CURRENCY,
            posted_at=posted_at,
            settled_due_on=None if settling_unknown else oldest,
        )
        loan.pay(amount)
        self._send_at(told_on, told_in, f"{loan.loan_id}/{today}/payment", posted_at, payment)
        if loan.oldest_unpaid() is None:
            self._close(loan, ClosingReason.PAID, today)
        elif self._dice.happens(TAKEN_BACK, loan.number, today, "taken back"):
            on = told_on + 1 + self._dice.number(5, loan.number, today, "taken back after")
            self._reversals.setdefault(on, []).append((loan, payment))

    def _told(self, loan: BookLoan, today: date, slot: int) -> tuple[int, int]:
        """The day and slot in which a payment is told: now, or days late."""
        if not self._dice.happens(TOLD_LATE, loan.number, today, "told late"):
            return self.today, slot
        return self.today + 1 + self._dice.number(3, loan.number, today, "told after"), slot

    def _take_back(self, loan: BookLoan, payment: PaymentPosted, today: date) -> None:
        reversed_at = _at(today, REVERSED_AT) + timedelta(minutes=self._dice.number(100, loan.number, today, "minute"))
        reversal = PaymentReversed(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan),
            payment_id=payment.payment_id,
            amount=payment.amount,
            currency=CURRENCY,
            posted_at=payment.posted_at,
            reversed_at=reversed_at,
            settled_due_on=payment.settled_due_on,
        )
        loan.pay(-payment.amount)
        loan.stale = True
        self._send(3, payment.payment_id, "reversal", reversed_at, reversal)

    def _ends_otherwise(self, loan: BookLoan, oldest: date, today: date) -> bool:
        """Whether the bank gives a loan up today, or takes less than is owed for all of it."""
        days = (today - oldest).days
        if days > WRITTEN_OFF_AFTER and self._dice.happens(WRITTEN_OFF, loan.number, today, "written off"):
            self._close(loan, ClosingReason.WRITTEN_OFF, today)
        elif days > SETTLED_AFTER and self._dice.happens(SETTLED, loan.number, today, "settled"):
            offer = loan.outstanding() * (40 + self._dice.number(31, loan.number, today, "offer")) // 100
            self._pay(loan, oldest, today, max(offer, 1))
            if not loan.closed:
                self._close(loan, ClosingReason.SETTLED, today)
        return loan.closed

    def _close(self, loan: BookLoan, reason: ClosingReason, today: date) -> None:
        loan.closed = True
        closed_at = _at(today, ENDED_AT)
        closing = LoanClosed(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan),
            reason=reason,
            closed_at=closed_at,
        )
        self._send(3, f"{loan.loan_id}/{today}", "closing", closed_at, closing)

    # -- debtors --------------------------------------------------------------------------------------------------

    def _party(self, loan: BookLoan) -> str:
        """The debtor as the event names them: some loans are named alone once both were."""
        party = "" if loan.named and loan.by_loan_only else loan.party_id
        loan.named = True
        return party

    def _introduce(self, loan: BookLoan, today: date) -> None:
        if loan.party_id not in self._known:
            self._known.add(loan.party_id)
            self._introduced.append(loan.party_id)
            self._send_profile(loan.party_id, today, "introduced")

    def _update_debtors(self, today: date) -> None:
        for party in self._introduced:
            if self._dice.happens(NEW_PHONE, party, today, "new phone"):
                self._send_profile(party, today, "new phone")

    def _send_profile(self, party: str, today: date, why: str) -> None:
        updated_at = _at(today, OPENS_AT[1]) + timedelta(minutes=self._dice.number(60, party, today, why))
        self._send(1, f"{party}/{today}", why.replace(" ", "-"), updated_at, profile(self._dice, party, updated_at))

    # -- sending ----------------------------------------------------------------------------------------------------

    def _send(self, slot: int, subject: str, what: str, at: datetime, fact: Fact) -> None:
        self._send_at(self.today, slot, f"{subject}/{what}" if slot else f"{subject}/{at.date()}/{what}", at, fact)

    def _send_at(self, day: int, slot: int, name: str, at: datetime, fact: Fact) -> None:
        sent = Sent(f"{LENDER}/{self._seed}/{name}", at, fact)
        self._put(day, slot, sent)
        if self._dice.happens(SENT_TWICE, name, "sent twice"):
            again = Sent(f"{sent.event_id}/again", at, fact)
            later = day + 1 + self._dice.number(2, name, "again after")
            self._put(later, 1 + self._dice.number(3, name, "again in"), again)

    def _put(self, day: int, slot: int, sent: Sent) -> None:
        if day == self.today:
            self.sent[slot].append(sent)
        else:
            self._later.setdefault((day, slot), []).append(sent)


def _chance(loan: BookLoan, oldest: date, today: date, tomorrow: date) -> int:
    """The chance, in ten-thousandths, that something is paid on a loan today."""
    if oldest >= tomorrow:
        return loan.temper.early
    if oldest >= today:
        return loan.temper.in_time
    return next(chance for days, chance in loan.temper.late if (today - oldest).days < days)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, CHINA)


# -- personal data, made up --------------------------------------------------------------------------------------------

FAMILY_NAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
GIVEN_NAMES: Final = ("安宁", "明远", "小雨", "建华", "思齐", "文静", "子轩", "秋实", "春晓", "一帆", "晨光", "若水")


def profile(dice: Dice, party: str, updated_at: datetime) -> PartyProfile:
    """A person who does not exist: the phone's prefix and the identity number's region are not in use."""
    contacts = [
        _mobile(dice, party, updated_at, ContactOwner.DEBTOR),
        ContactPoint(kind=ContactKind.EMAIL, value=f"{party.lower()}@example.com", source=ContactSource.DEBTOR),
        ContactPoint(kind=ContactKind.ADDRESS, value=f"上海市样例路{1 + dice.number(999, party, 'house')}号"),
    ]
    if dice.happens(HAS_GUARANTOR, party, "guarantor"):
        contacts.append(_mobile(dice, party, updated_at, ContactOwner.GUARANTOR))
    return PartyProfile(
        lender_id=LENDER,
        party_id=party,
        updated_at=updated_at,
        name=_name(dice, party),
        id_number=f"000000{1950 + dice.number(55, party, 'born')}0101{dice.number(10_000, party, 'identity'):04d}",
        contacts=tuple(contacts),
        time_zones=("Asia/Shanghai",),
    )


def _name(dice: Dice, party: str) -> str:
    family = FAMILY_NAMES[dice.number(len(FAMILY_NAMES), party, "family name")]
    return family + GIVEN_NAMES[dice.number(len(GIVEN_NAMES), party, "given name")]


def _mobile(dice: Dice, party: str, updated_at: datetime, owner: ContactOwner) -> ContactPoint:
    number = dice.number(10**8, party, updated_at.date(), "phone", owner)
    verified = dice.happens(VERIFIED, party, updated_at.date(), "verified", owner)
    return ContactPoint(
        kind=ContactKind.MOBILE,
        value=f"+86100{number:08d}",
        owner=owner,
        verified=verified,
        source=ContactSource.DEBTOR,
    )

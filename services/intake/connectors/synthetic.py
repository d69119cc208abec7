"""A made-up bank for demos: everything it ever sends is a pure function of the seed and the number of loans.

A day n has four slots. Slot 0 is the night batch: the books move to business date n, then each loan whose unpaid
instalments are others than in its last snapshot (or that had a payment taken back since) is reported as of that date,
with a posting cut-off at 00:00; a loan that owes nothing any more is so reported with an empty list. An overdue loan of
which nothing has changed is not sent again. Slots 1 to 3 are the daytime: payments, reversals, closings, personal data.

Once a month it is decided of each loan how it stands at the month's end, at the rates at which accounts of a real panel
rolled (`roll_rates.yaml`), and on which days its debtor therefore pays (`synthetic_months.py`). Hashes of the seed, the
loan and the month decide it, so no loan's life depends on another's.

It does to its readers what banks do: payments are told days late though the books had them in time (so a snapshot may
hold a payment that arrives after it), about 1 % are taken back, some events are sent twice under another id, some loans
are named without their debtor after the first event, and payments are told of loans that were never overdue.

The ledger is consistent: money pays the oldest due date first and, within it, fee, penalty, interest, principal. So a
reader that has applied slot 0 of a day owes for each loan what `ledger` says, whatever came late, twice or disordered.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import holidays

from services.intake.connectors.roll_rates import PAID_OFF
from services.intake.connectors.sending import CHINA, Sent
from services.intake.connectors.synthetic_book import BookLoan, Dice, loans_of, look_ahead, month_of, next_status
from services.intake.connectors.synthetic_months import Does, Month, Step, plan
from services.intake.connectors.synthetic_people import LENDER, profile
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact

PORTFOLIO: Final = "default"
CURRENCY: Final = "CNY"
SLOTS: Final = 4
NIGHT: Final = 0
SATURDAY: Final = 5

MIDNIGHT, BATCH_AT = time(0, 0), time(2, 0)
OPENS_AT: Final = {1: time(9, 0), 2: time(12, 0), 3: time(15, 0)}
"""When each daytime slot begins. Payments come in its first 170 minutes; at 18:00 and later, what takes them back."""

REVERSED_AT, ENDED_AT = time(18, 0), time(20, 0)

# Chances in ten-thousandths.
SENT_TWICE, SETTLING_UNKNOWN = 50, 2_000

NEW_PHONE_WITHIN: Final = 4_000
"""Business days within which a debtor has a new phone."""


class SyntheticBank:
    """The bank. Days may be asked for in any order; going back starts again from the first day."""

    def __init__(
        self, seed: int, loans: int, first_day: date, chosen: Callable[[BookLoan], bool] | None = None
    ) -> None:
        """A book of so many loans, opened on `first_day` or the first business day after it. Raises ValueError.

        chosen: which loans of the book to tell of, as they are when it opens; they live as in the whole book.
        """
        if loans < 1:
            raise ValueError(f"a bank needs at least one loan, not {loans}")
        self._days = [_business_day_from(first_day)]
        self._seed, self._loans, self._chosen = seed, loans, chosen
        self._run = self._opened()

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

    def day_after(self, day: date) -> int:
        """The number of the first business day after a date."""
        while self._days[-1] <= day:
            self.day(len(self._days))
        return bisect_right(self._days, day)

    def month(self, ordinal: int) -> Month:
        """The business days of a month, which is counted since the year 0."""
        year, month = divmod(ordinal, 12)
        end = self.day_after(date(year, month + 1, monthrange(year, month + 1)[1]))
        first = bisect_left(self._days, date(year, month + 1, 1))
        return Month(ordinal, first, tuple(day.day for day in self._days[first:end]))

    def _at(self, n: int) -> "_Run":
        if n < self._run.today:
            self._run = self._opened()
        while self._run.today < n:
            self._run.advance()
        return self._run

    def _opened(self) -> "_Run":
        dice = Dice(self._seed)
        book = loans_of(dice, self._loans, self._days[0])
        return _Run(self, self._seed, dice, book if self._chosen is None else filter(self._chosen, book))


def _business_day_from(day: date) -> date:
    while day.weekday() >= SATURDAY or day in _public_holidays(day.year):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=64)
def _public_holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("CN", years=year))


class _Run:
    """The bank's life from the first day on; it holds the events of one day, `today`, and what is to come later.

    By day: loans to look at in the night, steps of the month's plans, reversals, new phones, and events told late.
    """

    def __init__(self, bank: SyntheticBank, seed: int, dice: Dice, book: Iterable[BookLoan]) -> None:
        self._bank, self._seed, self._dice = bank, seed, dice
        self._loans = {loan.number: loan for loan in book}
        self._nights: dict[int, set[int]] = {0: set(self._loans)}
        self._steps: dict[int, list[tuple[BookLoan, Step]]] = {}
        self._reversals: dict[int, list[tuple[BookLoan, PaymentPosted]]] = {}
        self._phones: dict[int, list[str]] = {}
        self._later: dict[tuple[int, int], list[Sent]] = {}
        self._known: set[str] = set()
        self._month = 0
        self.today = -1
        self.sent: tuple[list[Sent], ...] = ()
        self.ledger: dict[str, int] = {}

    def advance(self) -> None:
        """Live through the next day."""
        self.today += 1
        self.sent = tuple(self._later.pop((self.today, slot), []) for slot in range(SLOTS))
        as_of = self._bank.day(self.today)
        if self._month != month_of(as_of):
            self._month = month_of(as_of)
            self._begin(self._bank.month(self._month))
        self._night(as_of)
        for loan, step in self._steps.pop(self.today, []):
            if not loan.closed:
                self._take(loan, step, as_of)
        for loan, payment in self._reversals.pop(self.today, []):
            if not loan.closed:
                self._take_back(loan, payment, as_of)
        for party in self._phones.pop(self.today, []):
            self._send_profile(party, as_of, "new phone")
        for sent in self.sent[1:]:
            sent.sort(key=lambda event: (event.time, event.event_id))

    # -- the month ----------------------------------------------------------------------------------------------------

    def _begin(self, month: Month) -> None:
        nights: dict[int, int] = {}
        for loan in self._loans.values():
            if loan.closed:
                continue
            if loan.due_day not in nights:
                nights[loan.due_day] = self._bank.day_after(loan.due_on(month.ordinal - loan.first_month))
            self._look_at(loan, nights[loan.due_day])
            self._plan(loan, month)

    def _plan(self, loan: BookLoan, month: Month) -> None:
        after = next_status(self._dice, loan, month.ordinal)
        if after == PAID_OFF:
            loan.term = month.ordinal - loan.first_month + 1
        for step in plan(loan, month, after, self._dice.draws(loan.number, month.ordinal)):
            self._steps.setdefault(step.day, []).append((loan, step))
        loan.status = after

    def _look_at(self, loan: BookLoan, night: int) -> None:
        self._nights.setdefault(night, set()).add(loan.number)

    def _look_again(self, loan: BookLoan) -> None:
        """Look at a loan in the next night, unless nothing was and nothing has become overdue."""
        if loan.reported or loan.stale:
            self._look_at(loan, self.today + 1)

    # -- the night ----------------------------------------------------------------------------------------------------

    def _night(self, as_of: date) -> None:
        moved = BusinessDateAdvanced(lender_id=LENDER, business_date=as_of)
        advanced = Sent(f"{LENDER}/{self._seed}/{as_of}/business-date", _at(as_of, MIDNIGHT), moved)
        self.sent[NIGHT].insert(0, advanced)
        for number in sorted(self._nights.pop(self.today, ())):
            self._look(self._loans[number], as_of)

    def _look(self, loan: BookLoan, as_of: date) -> None:
        loan.charge(as_of)
        unpaid = () if loan.closed else loan.unpaid(as_of)
        if unpaid:
            self.ledger[loan.loan_id] = sum(each.principal + each.interest + each.penalty + each.fee for each in unpaid)
        else:
            self.ledger.pop(loan.loan_id, None)
        if not loan.closed and (unpaid != loan.reported or loan.stale):
            loan.reported, loan.stale = unpaid, False
            self._report(loan, as_of)

    def _report(self, loan: BookLoan, as_of: date) -> None:
        self._introduce(loan, as_of)
        if not loan.term:
            look_ahead(self._dice, loan, self._month)
        snapshot = LoanOverdue(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan),
            as_of=as_of,
            posting_cut_off=_at(as_of, MIDNIGHT),
            currency=CURRENCY,
            instalments=loan.reported,
            outstanding=loan.outstanding(),
            product=loan.product,
            portfolio=PORTFOLIO,
            district=loan.district,
        )
        self._send(NIGHT, loan.loan_id, "snapshot", _at(as_of, BATCH_AT), snapshot)

    # -- the day ------------------------------------------------------------------------------------------------------

    def _take(self, loan: BookLoan, step: Step, today: date) -> None:
        if step.does is Does.IS_WRITTEN_OFF:
            self._close(loan, ClosingReason.WRITTEN_OFF, today)
        elif step.does is Does.SETTLES:
            offer = loan.outstanding() * (40 + self._dice.number(31, loan.number, today, "offer")) // 100
            self._pay(loan, step, today, max(offer, 1))
            if not loan.closed:
                self._close(loan, ClosingReason.SETTLED, today)
        elif amount := _amount(loan, step):
            self._pay(loan, step, today, amount)

    def _pay(self, loan: BookLoan, step: Step, today: date, amount: int) -> None:
        draws = self._dice.draws(loan.number, today, "payment")
        slot = 1 + draws.number(3)
        posted_at = _at(today, OPENS_AT[slot]) + timedelta(minutes=draws.number(170), seconds=draws.number(60))
        payment = PaymentPosted(
            lender_id=LENDER,
            loan_id=loan.loan_id,
            party_id=self._party(loan) if step.told == self.today else loan.party_id,
            payment_id=f"{loan.loan_id}/{today}",
            amount=amount,
            currency=CURRENCY,
            posted_at=posted_at,
            settled_due_on=None if draws.happens(SETTLING_UNKNOWN) else loan.due_on(loan.oldest),
        )
        loan.pay(amount)
        self._look_again(loan)
        self._send_at(step.told, slot, f"{loan.loan_id}/{today}/payment", posted_at, payment)
        if loan.oldest == loan.term:
            self._close(loan, ClosingReason.PAID, today)
        elif step.taken_back:
            self._reversals.setdefault(step.taken_back, []).append((loan, payment))

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
        self._look_again(loan)
        self._send(3, payment.payment_id, "reversal", reversed_at, reversal)

    def _close(self, loan: BookLoan, reason: ClosingReason, today: date) -> None:
        loan.closed = True
        self._look_again(loan)
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
            self._send_profile(loan.party_id, today, "introduced")

    def _send_profile(self, party: str, today: date, why: str) -> None:
        updated_at = _at(today, OPENS_AT[1]) + timedelta(minutes=self._dice.number(60, party, today, why))
        self._send(1, f"{party}/{today}", why.replace(" ", "-"), updated_at, profile(self._dice, party, updated_at))
        new_phone = self.today + 1 + self._dice.number(NEW_PHONE_WITHIN, party, today, "new phone")
        self._phones.setdefault(new_phone, []).append(party)

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


def _amount(loan: BookLoan, step: Step) -> int:
    """What a payment comes to: nothing where all of it has been paid before."""
    if step.percent:
        left = loan.whole(step.target) - loan.partly if step.target == loan.oldest else 0
        return left * step.percent // 100
    return loan.owed_until(step.target)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, CHINA)

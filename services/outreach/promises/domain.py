"""What promises are, and what a set of payments makes of them. Pure: the order in which facts came does not matter."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.outreach.plans.domain.window import Window, due_at
from shared.frozen import replace

Place = tuple[datetime, str, str]
"""A payment's place among others: when it was booked, and the ids of its loan and of itself."""


class PromiseState(StrEnum):
    """How a promise stands. Late news may still change an end: a payment that was booked in time, or its reversal."""

    STANDING = "standing"
    KEPT = "kept"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a role may take as a promise.

    most_days: how far ahead its day may lie. least_percent: of what is past due. most_broken: how many promises the
    person may have broken of late.
    """

    most_days: int
    least_percent: int
    most_broken: int


@dataclass(frozen=True, slots=True)
class Reminder:
    """How a house reminds: so many days before the promised day, in these hours. texts: by channel, the best first."""

    days_before: int
    hours: Window
    texts: Mapping[str, str]

    def is_in_time(self, promise: "Promise", instant: datetime) -> bool:
        """Whether it leaves before the promised day, or on it where the house reminds on that day."""
        return self.hours.day_of(instant) <= promise.promised_on - timedelta(min(self.days_before, 1))


@dataclass(frozen=True, slots=True)
class Terms:
    """How promises are judged in a jurisdiction, on the calendar of `zone`.

    remembered_days: after its last day, late payments and reversals may change how a promise ended for so long.
    reminder: None where nobody is reminded.
    """

    zone: str
    grace_days: int
    tolerance_percent: int
    remembered_days: int
    limits: Mapping[str, Limits]
    reminder: Reminder | None = None

    def day_of(self, instant: datetime) -> date:
        """The civil date in the zone."""
        return instant.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Promise:
    """A sum that a person promised to pay, with the terms that it was taken under; amounts in minor units.

    last_day: with the days of grace. tolerance: how much may be missing. paid: what counts towards it. settled: nothing
    can change it any more.
    """

    promise_id: str
    contact_id: str
    amount: int
    currency: str
    promised_on: date
    last_day: date
    tolerance: int
    zone: str
    remembered_until: date
    made_at: datetime
    made_on: date
    made_by: str
    state: PromiseState = PromiseState.STANDING
    paid: int = 0
    settled: bool = False

    @property
    def enough(self) -> int:
        """What has to be paid for it to be kept."""
        return self.amount - self.tolerance

    def counts(self, payment: "PromisePayment") -> bool:
        """Whether a payment is one that the promise was about: of its currency, booked on a day from making to last."""
        if payment.currency != self.currency or payment.posted_at is None:
            return False
        return self.made_on <= payment.posted_at.astimezone(ZoneInfo(self.zone)).date() <= self.last_day


@dataclass(frozen=True, slots=True)
class PromisePayment:
    """A payment that was heard of while a promise was remembered: its posting, its reversal, or both."""

    loan_id: str
    payment_id: str
    amount: int
    currency: str
    posted_at: datetime | None = None
    reversed: bool = False

    @property
    def counts(self) -> bool:
        """Whether it was posted and is not taken back."""
        return self.posted_at is not None and not self.reversed

    @property
    def place(self) -> Place:
        """Where it stands among others; only for one that was posted."""
        if self.posted_at is None:
            raise ValueError(self.payment_id)
        return self.posted_at, self.loan_id, self.payment_id


@dataclass(frozen=True, slots=True)
class PromiseDue:
    """Future work: the promises are to be looked at again."""

    due_on: date
    lender_id: str


@dataclass(frozen=True, slots=True)
class ReminderDue:
    """Future work: the debtor is to be reminded of a promise."""

    promise_id: str
    due_at: datetime
    lender_id: str


def reminder_of(terms: Terms, debtor_id: str, promise: Promise, lender_id: str) -> ReminderDue | None:
    """The reminder of a promise that is made; None where nobody is reminded, or its day has come by then."""
    reminder = terms.reminder
    if reminder is None:
        return None
    day = promise.promised_on - timedelta(reminder.days_before)
    if day <= reminder.hours.day_of(promise.made_at):
        return None
    at = due_at(reminder.hours, f"{debtor_id}/{promise.promise_id}", day, promise.made_at)
    return ReminderDue(promise.promise_id, at, lender_id)


def reminder_key(debtor_id: str, promise_id: str) -> str:
    """The idempotency key of a promise's one reminder, the same for every try: 32 hex characters."""
    return hashlib.sha256(f"reminder/{debtor_id}/{promise_id}".encode()).hexdigest()[:32]


def standing(promises: Iterable[Promise]) -> Promise | None:
    """The promise that stands, None where none does."""
    return next((each for each in promises if each.state is PromiseState.STANDING), None)


def refusal_of(
    promises: Iterable[Promise], limits: Limits, *, amount: int, past_due: int, days: int
) -> tuple[str, str] | None:
    """Which field of a promise cannot be taken so, and why; `days` is how far ahead its day lies."""
    known = tuple(promises)
    if standing(known) is not None:
        return "promise", "another promise stands already"
    if sum(each.state is PromiseState.BROKEN for each in known) > limits.most_broken:
        return "promise", "too many promises were broken of late"
    if days < 0:
        return "promised_on", "the day has passed"
    if days > limits.most_days:
        return "promised_on", f"the day lies more than {limits.most_days} days ahead"
    if amount * 100 < past_due * limits.least_percent:
        return "amount", f"it is less than {limits.least_percent} percent of what is past due"
    return None


def appraised(
    promises: Iterable[Promise], payments: Iterable[PromisePayment], business_date: date
) -> Sequence[Promise]:
    """The promises as the payments leave them on a business date."""
    known = sorted(promises, key=lambda each: (each.made_at, each.promise_id))
    return [
        replace(each, paid=paid, state=_state(each, paid, business_date))
        for each, paid in zip(known, filled(known, payments), strict=True)
    ]


def _state(promise: Promise, paid: int, business_date: date) -> PromiseState:
    if paid >= promise.enough:
        return PromiseState.KEPT
    return PromiseState.BROKEN if business_date > promise.last_day else PromiseState.STANDING


def filled(promises: Iterable[Promise], payments: Iterable[PromisePayment]) -> Sequence[int]:
    """How much is paid towards each promise: the first is filled first, and no part of a payment counts twice."""
    counting = sorted((each for each in payments if each.counts), key=lambda each: each.place)
    left = [each.amount for each in counting]
    return [_taken(promise, counting, left) for promise in promises]


def _taken(promise: Promise, payments: Sequence[PromisePayment], left: list[int]) -> int:
    """Take from what is left of the payments until the promise has enough."""
    taken = 0
    for number, payment in enumerate(payments):
        if taken < promise.enough and promise.counts(payment):
            part = min(left[number], promise.amount - taken)
            left[number] -= part
            taken += part
    return taken


def next_look(promises: Iterable[Promise]) -> date | None:
    """The business date on which time alone changes something next: a day passes, or all is settled; None for none."""
    known = tuple(promises)
    stands = standing(known)
    if stands is not None:
        return stands.last_day + timedelta(1)
    return max((each.remembered_until for each in known), default=None)


def are_over(promises: Iterable[Promise], business_date: date) -> bool:
    """Whether nothing can change any of the promises any more."""
    known = tuple(promises)
    return standing(known) is None and all(each.remembered_until <= business_date for each in known)

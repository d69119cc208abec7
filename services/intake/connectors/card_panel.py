"""A panel of monthly delinquency statuses of card accounts, turned into the events that a bank would have sent.

An account of status k has k + 1 unpaid instalments at the month's end, due 15 days before the ends of this month and
of the k months before it. The oldest is then 15 days past due and the days of k months more: within the status's
bucket, whichever months these are. What is unpaid follows from the status alone, and a month's events from what was
unpaid before:

- a payment (10:00) of the instalments that are no longer among the unpaid ones, if there are any;
- a snapshot (posting cut-off at 12:00) of all that are unpaid, so one that jumped up brings back-dated instalments;
- a closing (14:00): as paid after a payment of everything (C), as no loan (X), or as no longer reported in the month
  after an account's last row, where that is not the newest month.

Before an account's first 0-5 nothing is told of it, and nothing while it stays closed; a later 0-5 opens it again.
A month of which an account has no row between others tells nothing of it. The first event of a month moves the
business date: where partitions have no order between them, it must have been applied before the others are.
"""

import zlib
from array import array
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from services.intake.connectors.card_panel_file import NO_ROWS, PanelFileError, read
from services.intake.connectors.sending import CHINA, DISTRICTS, Sent
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
)

LENDER: Final = "card-bank"
PRODUCT: Final = "card"
PORTFOLIO: Final = "card-panel"
CURRENCY: Final = "CNY"
NEWEST_MONTH: Final = (2026, 9)
"""The calendar month of MONTHS_BALANCE 0: a constant, so that a replay never depends on the day it runs."""

START, PAID_AT, CUT_OFF, CLOSED_AT = time(0, 0), time(10, 0), time(12, 0), time(14, 0)
DUE_BEFORE_MONTH_END: Final = timedelta(days=15)

__all__ = ["CardPanel", "Month", "PanelFileError", "Sent"]

# What an account is at the end of a month, in one byte: the status of its last row, or one of these.
_UNHEARD, _DROPPED = ord("."), ord("!")


@dataclass(frozen=True, slots=True)
class Month:
    """A month's events, made one by one as they are asked for; the first says that the books stand on its last day."""

    business_date: date
    events: Iterator[Sent]


class CardPanel:
    """A panel file, read once and checked; it takes about 9 bytes a row and 100 an account."""

    def __init__(self, path: Path, accounts: int | None = None) -> None:
        """Read the file; `accounts` takes only the first so many of all accounts, in order of their ids.

        Raises PanelFileError.
        """
        if accounts is not None and accounts < 1:
            raise PanelFileError(path, f"at least one account is needed, not {accounts}")
        self._columns = read(path)
        self._chosen = _chosen(self._columns.accounts, accounts)

    @property
    def accounts(self) -> int:
        """How many accounts are replayed."""
        return sum(self._chosen)

    def business_dates(self) -> list[date]:
        """The last day of every month, from the oldest to the newest one."""
        months = self._columns.months
        return [_month_end(offset) for offset in range(min(months), max(months) + 1)]

    def months(self) -> Iterator[Month]:
        """Every month from the oldest to the newest one, each with its events."""
        columns = self._columns
        state = bytes([_UNHEARD]) * len(columns.accounts)
        since = array("h", bytes(2 * len(columns.accounts)))
        for offset in range(min(columns.months), max(columns.months) + 1):
            after = self._after(state, offset)
            yield Month(_month_end(offset), self._events(offset, state, after, array("h", since)))
            for account in columns.months.get(offset, NO_ROWS).accounts:
                since[account] = offset
            state = after

    def _after(self, before: bytes, offset: int) -> bytes:
        """What every account is at the end of a month."""
        after = bytearray(before)
        rows = self._columns.months.get(offset, NO_ROWS)
        for account, status in zip(rows.accounts, rows.statuses, strict=True):
            if self._chosen[account]:
                after[account] = status
        last = self._columns.last
        for account in self._columns.months.get(offset - 1, NO_ROWS).accounts:
            if last[account] == offset - 1 and _is_open(before[account]):
                after[account] = _DROPPED
        return bytes(after)

    def _events(self, offset: int, before: bytes, after: bytes, since: "array[int]") -> Iterator[Sent]:
        business_date = _month_end(offset)
        yield Sent(
            f"{LENDER}/{_name(offset)}/business-date",
            datetime.combine(business_date, START, CHINA),
            BusinessDateAdvanced(lender_id=LENDER, business_date=business_date),
        )
        rows = self._columns.months.get(offset, NO_ROWS).accounts
        dropped = (a for a in self._columns.months.get(offset - 1, NO_ROWS).accounts if after[a] == _DROPPED)
        ids = self._columns.accounts
        for account in sorted((*rows, *dropped), key=ids.__getitem__):
            if self._chosen[account]:
                yield from _account_events(_Move(ids[account], offset, before[account], after[account], since[account]))


def _chosen(ids: list[str], accounts: int | None) -> bytes:
    """One byte per account: whether it is replayed."""
    if accounts is None or accounts >= len(ids):
        return b"\1" * len(ids)
    chosen = bytearray(len(ids))
    for number in sorted(range(len(ids)), key=ids.__getitem__)[:accounts]:
        chosen[number] = 1
    return bytes(chosen)


class _Move(NamedTuple):
    """How an account went from one month's end to the next: states as bytes; `since` is the month of `before`."""

    account: str
    month: int
    before: int
    after: int
    since: int


_OPEN = range(ord("0"), ord("5") + 1)


def _is_open(state: int) -> bool:
    return state in _OPEN


# -- events ------------------------------------------------------------------------------------------------------------


def _account_events(move: _Move) -> Iterator[Sent]:
    if not _is_open(move.before) and not _is_open(move.after):
        return
    unpaid_before = _unpaid_months(move.before, move.since)
    unpaid = _unpaid_months(move.after, move.month)
    paid = [month for month in unpaid_before if month not in unpaid]
    if paid and move.after not in _NOT_PAID:
        yield _payment(move, paid)
    yield _snapshot(move, unpaid) if unpaid else _closing(move)


_NOT_PAID = (ord("X"), _DROPPED)
_REASONS = {
    ord("C"): ClosingReason.PAID,
    ord("X"): ClosingReason.NO_LOAN,
    _DROPPED: ClosingReason.NO_LONGER_REPORTED,
}


def _unpaid_months(state: int, month: int) -> range:
    """The months whose instalments are unpaid at the end of `month`, oldest first."""
    return range(month - (state - _OPEN.start), month + 1) if _is_open(state) else range(0)


def _payment(move: _Move, paid: list[int]) -> Sent:
    posted_at = _at(move.month, PAID_AT)
    fact = PaymentPosted(
        lender_id=LENDER,
        loan_id=move.account,
        party_id=move.account,
        payment_id=f"{move.account}-{_name(move.month)}",
        amount=len(paid) * sum(_amounts(move.account)),
        currency=CURRENCY,
        posted_at=posted_at,
        settled_due_on=_due_on(paid[0]),
    )
    return Sent(_event_id(move, "payment"), posted_at, fact)


def _snapshot(move: _Move, unpaid: range) -> Sent:
    cut_off = _at(move.month, CUT_OFF)
    principal, interest = _amounts(move.account)
    instalments = tuple(
        Instalment(number=_number(month), due_on=_due_on(month), principal=principal, interest=interest)
        for month in unpaid
    )
    fact = LoanOverdue(
        lender_id=LENDER,
        loan_id=move.account,
        party_id=move.account,
        as_of=_month_end(move.month),
        posting_cut_off=cut_off,
        currency=CURRENCY,
        instalments=instalments,
        outstanding=_BALANCE_IN_INSTALMENTS * principal + len(instalments) * interest,
        product=PRODUCT,
        portfolio=PORTFOLIO,
        district=DISTRICTS[_hash(move.account) % len(DISTRICTS)],
    )
    return Sent(_event_id(move, "snapshot"), cut_off, fact)


def _closing(move: _Move) -> Sent:
    closed_at = _at(move.month, CLOSED_AT)
    fact = LoanClosed(
        lender_id=LENDER,
        loan_id=move.account,
        party_id=move.account,
        reason=_REASONS[move.after],
        closed_at=closed_at,
    )
    return Sent(_event_id(move, "closing"), closed_at, fact)


_BALANCE_IN_INSTALMENTS = 24


def _amounts(account: str) -> tuple[int, int]:
    """Principal and interest of each of an account's instalments: the file has no amounts, so they are made up."""
    principal = 20_000 + 1_000 * (_hash(f"{account}/amount") % 181)
    return principal, principal // 50


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())


def _event_id(move: _Move, what: str) -> str:
    return f"{LENDER}/{move.account}/{_name(move.month)}/{what}"


# -- months ------------------------------------------------------------------------------------------------------------


def _calendar(offset: int) -> tuple[int, int]:
    year, month = divmod(12 * NEWEST_MONTH[0] + NEWEST_MONTH[1] - 1 + offset, 12)
    return year, month + 1


def _month_end(offset: int) -> date:
    year, month = _calendar(offset)
    return date(year, month, monthrange(year, month)[1])


def _due_on(offset: int) -> date:
    return _month_end(offset) - DUE_BEFORE_MONTH_END


def _name(offset: int) -> str:
    return "{:04d}-{:02d}".format(*_calendar(offset))


def _number(offset: int) -> int:
    """An instalment's number: its month, counted since 1960."""
    year, month = _calendar(offset)
    return 12 * (year - 1960) + month


def _at(offset: int, hour: time) -> datetime:
    return datetime.combine(_month_end(offset), hour, CHINA)

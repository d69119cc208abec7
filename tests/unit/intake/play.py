"""A debtor's actor in miniature: dated events in, the names of the facts told out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any

from services.intake.cases import reporting_schemes, store
from services.intake.cases.domain.facts import DebtorFile, Payment
from services.intake.cases.handlers import handlers
from services.intake.verification import gates
from services.intake.verification.commands import DecideVerification
from services.intake.verification.handlers.deciding import decide
from shared.contracts import catalogue
from shared.contracts.core_banking import (
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.contracts.ingress import LoanEnded, LoanReported, PaymentReceived, PaymentTakenBack
from shared.contracts.intake import SealedProfile
from shared.messaging.rows import row_of, values
from shared.service import Handler

DEBTOR = "d" * 32
LENDER = "demo-bank"
SCHEMES = reporting_schemes.load()
GATE = gates.load()
HANDLERS: Mapping[type, Handler] = {**handlers(SCHEMES, GATE), DecideVerification: partial(decide, SCHEMES, GATE)}


def sealed_profile(updated_at: datetime, name: bytes = b"sealed") -> SealedProfile:
    return SealedProfile(
        key_id="key", updated_at=updated_at, language="de", time_zones=(), name=name, id_number=b"", contacts=()
    )


def day(text: str) -> date:
    return date.fromisoformat(text)


def instant(text: str) -> datetime:
    """A day means its end: what the bank posts "on" a day, or up to it."""
    if len(text) == len("2024-01-01"):
        return datetime.combine(day(text), time(23, 59), UTC)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instalment(due_on: str, principal: int = 0, *, number: int = 0, **parts: int) -> Instalment:
    return Instalment(
        number=number or day(due_on).toordinal() % 9973 + 1, due_on=day(due_on), principal=principal, **parts
    )


def snapshot(
    as_of: str, *instalments: Instalment, loan: str = "loan-1", cut_off: str = "", **more: Any
) -> LoanReported:
    reported = LoanOverdue(
        lender_id=LENDER,
        loan_id=loan,
        as_of=day(as_of),
        posting_cut_off=instant(cut_off or as_of),
        currency=more.pop("currency", "EUR"),
        instalments=instalments,
        **more,
    )
    return LoanReported(loan=reported)


def payment(on: str, amount: int, *, name: str = "payment-1", loan: str = "loan-1", **more: Any) -> PaymentReceived:
    more.setdefault("currency", "EUR")
    return PaymentReceived(
        payment=PaymentPosted(
            lender_id=LENDER, loan_id=loan, payment_id=name, amount=amount, posted_at=instant(on), **more
        )
    )


def reversal(
    of: PaymentReceived, on: str, *, settled_due_on: str | None = None, amount: int | None = None
) -> PaymentTakenBack:
    posted = of.payment
    return PaymentTakenBack(
        reversal=PaymentReversed(
            lender_id=LENDER,
            loan_id=posted.loan_id,
            payment_id=posted.payment_id,
            amount=posted.amount if amount is None else amount,
            currency=posted.currency,
            posted_at=posted.posted_at,
            reversed_at=instant(on),
            settled_due_on=day(settled_due_on) if settled_due_on else posted.settled_due_on,
        )
    )


def closing(on: str, reason: ClosingReason = ClosingReason.PAID, *, loan: str = "loan-1") -> LoanEnded:
    return LoanEnded(closing=LoanClosed(lender_id=LENDER, loan_id=loan, reason=reason, closed_at=instant(on)))


def event(data: Any, number: int = 0) -> Event[Any]:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return Event(
        id=derived_id("play", number),
        type="play",
        lender_id=LENDER,
        debtor_id=DEBTOR,
        occurred_at=now,
        recorded_at=now,
        data=data,
    )


@dataclass
class Play:
    """One debtor over time; each act returns the short names of the facts that it told, in order."""

    today: date = date.min
    file: DebtorFile = field(default_factory=lambda: store.LAYOUT.empty(DEBTOR))
    told: list[Told] = field(default_factory=list)
    settled: dict[Any, Payment] = field(default_factory=dict)

    def hear(self, data: Any) -> list[str]:
        """Apply one event; the file goes through its tables on the way, as it does in production."""
        self.file = through_tables(self.file)
        self._load_payments({key for _, key in store.rows_named(event(data))})
        return self.apply(data)

    def _load_payments(self, named: set[Any]) -> None:
        """Keep settled payments out of the file unless the event names them, as the runtime does."""
        known = {**self.settled, **self.file.payments}
        self.settled = {key: row for key, row in known.items() if row.settled and key not in named}
        self.file = replace(self.file, payments={key: row for key, row in known.items() if key not in self.settled})

    def at(self, business_date: str) -> list[str]:
        """Move the business date, and let what has fallen due happen."""
        self.today = max(self.today, day(business_date))
        names: list[str] = []
        while self.file.bucket_due is not None and self.file.bucket_due.due_on <= self.today:
            due = self.file.bucket_due
            self.file = replace(self.file, bucket_due=None)
            names += self.apply(due)
        return names

    def apply(self, data: Any) -> list[str]:
        """Apply one event to the file as it is in hand, as within a turn."""
        now = Moment(datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC), self.today)
        before = self.version
        self.file, told = HANDLERS[type(data)](self.file, event(data), now)
        versions = [each.case_version for each in told if each.case_version]
        assert versions == list(range(before + 1, before + 1 + len(versions)))
        assert self.version == before + len(versions)
        self.told += told
        return [catalogue.wire_name(type(each.data)).removeprefix("intake.").removesuffix(".v1") for each in told]

    @property
    def version(self) -> int:
        return self.file.case.version if self.file.case else 0

    @property
    def summary(self) -> Any:
        """The case as the last fact that carries one tells it."""
        cases = (getattr(each.data, "case", None) for each in reversed(self.told))
        return next((case for case in cases if case is not None), None)

    @property
    def loan(self) -> Any:
        return self.summary.loans[0]


def through_tables(file: DebtorFile) -> DebtorFile:
    """The file as its tables give it back."""
    content: dict[str, Any] = {}
    for name, table in store.LAYOUT.tables.items():
        rows = {key: row_of(table, values(table, row)) for key, row in store.LAYOUT.rows(file, name).items()}
        content[name] = rows if table.key else next(iter(rows.values()), None)
    return DebtorFile(file.debtor_id, **content)

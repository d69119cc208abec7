"""Random facts about some debtors, applied as the runtime does."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.analytics.service import HANDLERS
from services.analytics.store import LAYOUT
from shared.contracts import catalogue, intake, outreach
from shared.contracts.envelope import Event, Fact, Moment
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary, OfCase
from shared.contracts.outreach import PlannedStep
from shared.contracts.segmentation import Channel, Explanation, TreatmentAssigned
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Change, Effects
from shared.settings import Settings

SETTINGS = Settings.demo()
AT = datetime(2026, 1, 1, 1, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 5), date(2026, 6, 30)
BUCKETS = ("current", "0", "1", "5", "closed")
DEBTORS = 40


def event_of(debtor_id: str, version: int, fact: Fact, number: int) -> Event[Any]:
    return Event(
        id=f"{debtor_id}/{number}",
        type=catalogue.wire_name(type(fact)),
        lender_id="bank",
        debtor_id=debtor_id,
        case_version=version,
        occurred_at=AT + timedelta(minutes=number),
        recorded_at=AT + timedelta(minutes=number),
        data=fact,
    )


def case_of(debtor_id: str, on: date, buckets: dict[str, str]) -> CaseSummary:
    loans = tuple(
        LoanSummary(
            loan_id=loan_id,
            product="card" if loan_id.endswith("1") else "car",
            portfolio="p",
            currency="CNY" if loan_id.endswith("1") else "EUR",
            past_due=0 if bucket in ("current", "closed") else 100,
            outstanding=1_000,
            oldest_due_on=on,
            scheme="s",
            bucket=bucket,
            closed_as="paid" if bucket == "closed" else "",
        )
        for loan_id, bucket in buckets.items()
    )
    ended = all(bucket == "closed" for bucket in buckets.values())
    return CaseSummary(
        case_id=f"case of {debtor_id}",
        status=CaseStatus.CLOSED if ended else CaseStatus.OPEN,
        opened_on=FIRST,
        business_date=on,
        oldest_due_on=on,
        jurisdiction="CN",
        district="D",
        loans=loans,
        disposition=Disposition.PAID if ended else None,
    )


EXPLAINED = Explanation(rule="r", version="1", inputs={})


def treatment_of(case_id: str) -> TreatmentAssigned:
    """A treatment by the arm that a person was drawn to: one of two, by the name of the case."""
    return TreatmentAssigned(
        stage="EARLY", strategy="s", strategy_version=1, steps=(), explanation=EXPLAINED,
        experiment="x", experiment_version=1, arm=arm_of(case_id),
    )  # fmt: skip


def arm_of(name: str) -> str:
    return ("champion", "challenger")[sum(name.encode()) % 2]


CONTACT = outreach.ContactMade(
    contact_id="c", plan_number=1, step_number=1, channel="phone", outcome="reached", provider_reference="p"
)


class Story:
    """Random facts about some debtors, and what a plain reading of them comes to."""

    def __init__(self, seed: int) -> None:
        self._choose = random.Random(seed)
        self.expected: Counter[str] = Counter()
        self.stands: dict[str, dict[str, str]] = {}
        self.facts = [self._facts_of(f"d{n:02d}") for n in range(DEBTORS)]

    def _facts_of(self, debtor_id: str) -> list[tuple[date, Event[Any]]]:
        day, told = FIRST, list[tuple[date, Event[Any]]]()
        buckets = {f"{debtor_id}/1": "0", f"{debtor_id}/2": "current"}
        for number in range(self._choose.randrange(1, 25)):
            loan_id = self._choose.choice(list(buckets))
            buckets[loan_id] = self._choose.choice(BUCKETS)
            case = case_of(debtor_id, day, buckets)
            fact = self._fact(case, number)
            if isinstance(fact, OfCase | intake.PaymentPosted):
                self._show(case)
            told.append((day, event_of(debtor_id, number + 1, fact, number)))
            day = min(day + timedelta(days=self._choose.randrange(20)), LAST)
        return told

    def _show(self, case: CaseSummary) -> None:
        for loan in case.loans:
            bucket = "closed:paid" if loan.closed_as else loan.bucket
            self.stands.setdefault(loan.loan_id, {})[f"{case.business_date:%Y-%m}"] = bucket

    def _fact(self, case: CaseSummary, number: int) -> Fact:
        if number == 0:
            self.expected["opened"] += 1
            return intake.CaseOpened(case=case)
        if case.disposition:
            self.expected["closed"] += 1
            return intake.CaseClosed(case=case)
        if self._choose.random() < 0.3:
            self.expected["payments"] += 1
            self.expected["paid"] += number
            return intake.PaymentPosted(
                case=case, loan_id="l", payment_id=str(number), amount=number, currency="CNY", posted_at=AT
            )
        if number % 2:
            return CONTACT if number % 4 == 3 else treatment_of(case.case_id)
        if self._choose.random() < 0.3:
            self.expected["running"] += 1
            steps = (PlannedStep(number=1, channel=Channel.SMS, due_at=AT),)
            return outreach.PlanStarted(
                plan_number=number, stage="EARLY", strategy="s", strategy_version=1, steps=steps
            )
        return intake.CaseUpdated(case=case)


async def applied(
    target: PostgresStore, debtor_id: str, facts: Sequence[tuple[date, Event[Any]]], *, batch: int = 3
) -> None:
    """Apply facts as the runtime does: load, decide event by event, save, commit."""
    for start in range(0, len(facts), batch):
        transaction = await target.begin()
        shard = hash_of(debtor_id)
        before = (await transaction.load(LAYOUT, {debtor_id: shard}, {}))[debtor_id]
        after = before
        for on, event in facts[start : start + batch]:
            after, _ = HANDLERS[type(event.data)](after, event, Moment(event.recorded_at, on))
        await transaction.save(LAYOUT, [Change(shard, debtor_id, before, after)])
        await transaction.commit()


def hash_of(debtor_id: str) -> int:
    return sum(debtor_id.encode()) % 32


async def clock_set(target: PostgresStore, on: date) -> None:
    transaction = await target.begin()
    await transaction.write(Effects(clocks={(3, "bank"): on}))
    await transaction.commit()


def token_of(role: str) -> str:
    return next(one.token for one in SETTINGS.tokens if one.role == role)

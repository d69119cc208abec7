"""One debtor's lane in outreach, played by hand: facts in, facts out, and what is due when its time comes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.outreach.plans.domain.rows import DebtorPlans, Plan
from services.outreach.plans.store import LAYOUT
from services.outreach.service import declare
from shared.contracts import intake, legal, outreach, segmentation
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.segmentation import Channel
from shared.service import ActorKind
from shared.settings import DEMO_KEY, DEMO_TOKENS, Settings

SETTINGS = Settings(mode="demo", broker_url="embedded:", personal_data_key=DEMO_KEY, tokens=DEMO_TOKENS)
LANE, ALLOCATOR, REGISTER, *_ = declare(SETTINGS).actors
DEBTOR, LENDER = "0123456789abcdef0123456789abcdef", "bank"
MIDNIGHT = datetime(2026, 3, 1, 16, tzinfo=UTC)
"""The beginning of 2 March 2026 in China: the day's window lies ahead."""

OPEN, CURED, CLOSED = intake.CaseStatus.OPEN, intake.CaseStatus.CURED, intake.CaseStatus.CLOSED
FUTURE = (
    "step_due",
    "plan_due",
    "hold_due",
    "contact_due",
    "promise_due",
    "reminder_due",
    "matter_due",
    "placement_due",
)


def loan(loan_id: str = "loan-1", past_due: int = 50_000, **other: Any) -> intake.LoanSummary:
    """A loan that is past due since February."""
    content: dict[str, Any] = {"currency": "CNY", "oldest_due_on": date(2026, 2, 1), "outstanding": 900_000} | other
    return intake.LoanSummary(
        loan_id=loan_id, product="card", portfolio="p", past_due=past_due, scheme="s", bucket="b", **content
    )


def case(status: intake.CaseStatus = OPEN, **other: Any) -> intake.CaseSummary:
    """A case in a district that crews know."""
    content: dict[str, Any] = {"jurisdiction": "CN", "district": "CN-310115", "loans": (loan(),)} | other
    return intake.CaseSummary(
        case_id="case-1",
        status=status,
        opened_on=date(2026, 2, 2),
        business_date=date(2026, 3, 2),
        oldest_due_on=date(2026, 2, 1),
        **content,
    )


def payment(status: intake.CaseStatus = OPEN, received_at: datetime | None = None) -> intake.PaymentPosted:
    """Some money; `status` is how the case stands after it."""
    return intake.PaymentPosted(
        case=case(status),
        loan_id="loan-1",
        payment_id="p-1",
        amount=100,
        currency="CNY",
        posted_at=MIDNIGHT,
        received_at=received_at,
    )


def reversal(status: intake.CaseStatus = OPEN) -> intake.PaymentReversed:
    """The money taken back."""
    return intake.PaymentReversed(
        case=case(status), loan_id="loan-1", payment_id="p-1", amount=100, currency="CNY", reversed_at=MIDNIGHT
    )


def treatment(stage: str = "EARLY", *steps: tuple[Channel, int], version: int = 1) -> segmentation.TreatmentAssigned:
    """What the strategy prescribes in a stage: by default an SMS today and a call in three days."""
    chosen = steps or ((Channel.SMS, 0), (Channel.PHONE, 3))
    return segmentation.TreatmentAssigned(
        stage=stage,
        strategy="ladder",
        strategy_version=version,
        steps=tuple(
            segmentation.TreatmentStep(number=number, channel=channel, after_days=days)
            for number, (channel, days) in enumerate(chosen, 1)
        ),
        explanation=segmentation.Explanation(rule="r", version="1", inputs={}),
    )


LEGAL_HOLD = legal.HoldPlaced(hold_id="legal-1", reason="matter opened")
LEGAL_RELEASE = legal.HoldReleased(hold_id="legal-1", reason="matter closed")


@dataclass
class Play:
    """Applies what it is given, and takes due rows out of the state as the runtime does."""

    state: DebtorPlans = field(default_factory=lambda: LAYOUT.empty(DEBTOR))
    now: Moment = field(default_factory=lambda: Moment(MIDNIGHT, date(2026, 3, 2), MIDNIGHT))
    lane: ActorKind = LANE
    told: list[Told] = field(default_factory=list)
    events: int = 0
    forgets: bool = False
    """Load the state afresh for every event, without what is settled, as if each event were a batch of its own."""

    def tell(self, payload: Any, version: int = 0, *, lender_id: str = LENDER, actor: str = "system") -> list[str]:
        """Apply one fact or command, and name what it led to."""
        self.events += 1
        event = Event(
            id=derived_id("event", self.events),
            type="",
            lender_id=lender_id,
            debtor_id=DEBTOR,
            case_version=version,
            actor=actor,
            occurred_at=self.now.instant,
            recorded_at=self.now.instant,
            data=payload,
        )
        before = _loaded(self.state, event) if self.forgets else self.state
        after, told = self.lane.handlers[type(payload)](before, event, self.now)
        assert self.lane.handlers[type(payload)](before, event, self.now) == (after, told), "a handler must be pure"
        self.state = _saved(self.state, before, after) if self.forgets else after
        self.told += told
        return spoken(told)

    def started(self, *, version: int = 1, assigned: segmentation.TreatmentAssigned | None = None) -> "Play":
        """Open a case, assign a treatment, and let a moment pass so that the plan starts."""
        self.tell(intake.CaseOpened(case=case()), version)
        self.tell(assigned or treatment(), version)
        self.wait(minutes=2)
        return self

    def wait(self, **time: float) -> list[str]:
        """Let time pass; the business date follows the date in China."""
        return self.until(self.now.instant + timedelta(**time))

    def until(self, instant: datetime) -> list[str]:
        """Let time pass up to an instant, applying what falls due on the way, in order."""
        told: list[str] = []
        while (found := self._next_due(instant)) is not None:
            at, name, key, row = found
            self._at(max(at, self.now.instant))
            self.state = _without(self.state, name, key)
            told += self.tell(row, lender_id=row.lender_id)
        self._at(instant)
        return told

    def _at(self, instant: datetime) -> None:
        self.now = Moment(instant, (instant + timedelta(hours=8)).date(), instant)

    def _next_due(self, until: datetime) -> tuple[datetime, str, Any, Any] | None:
        rows = [
            (_instant(getattr(row, LAYOUT.tables[name].due or "")), name, key, row)
            for name in FUTURE
            for key, row in LAYOUT.rows(self.state, name).items()
        ]
        return min(
            (row for row in rows if row[0] <= until), key=lambda row: (row[0], row[1], str(row[2])), default=None
        )

    @property
    def plan(self) -> Plan:
        """The latest plan."""
        return self.state.plans[max(self.state.plans)]

    def steps(self) -> dict[int, str]:
        """The states of the latest plan's steps."""
        return {key[1]: step.state for key, step in sorted(self.state.steps.items()) if key[0] == self.plan.plan_number}


def _instant(due: date | datetime) -> datetime:
    if isinstance(due, datetime):
        return due
    return datetime(due.year, due.month, due.day, tzinfo=UTC) - timedelta(hours=8)


def _without(state: DebtorPlans, name: str, key: Any) -> DebtorPlans:
    rows = {other: row for other, row in LAYOUT.rows(state, name).items() if other != key}
    content: Any = rows if LAYOUT.tables[name].key else None
    return replace(state, **{name: content})


def _loaded(state: DebtorPlans, event: Event[Any]) -> DebtorPlans:
    named = set(LAYOUT.named(event))
    content: dict[str, Any] = {}
    for name, table in LAYOUT.tables.items():
        if table.settled is not None:
            rows = LAYOUT.rows(state, name).items()
            content[name] = {k: row for k, row in rows if not getattr(row, table.settled) or (name, k) in named}
    return replace(state, **content)


def _saved(known: DebtorPlans, before: DebtorPlans, after: DebtorPlans) -> DebtorPlans:
    """The new state on top of what was not loaded."""
    content: dict[str, Any] = {}
    for name, table in LAYOUT.tables.items():
        if table.settled is not None:
            gone = set(LAYOUT.rows(before, name)) - set(LAYOUT.rows(after, name))
            new = set(LAYOUT.rows(after, name)) - set(LAYOUT.rows(before, name))
            assert not new & set(LAYOUT.rows(known, name)), "a row that was not loaded cannot be inserted again"
            kept = {key: row for key, row in LAYOUT.rows(known, name).items() if key not in gone}
            content[name] = {**kept, **LAYOUT.rows(after, name)}
    return replace(after, **content)


def spoken(told: Sequence[Told]) -> list[str]:
    """What was told, in a few words each."""
    return [_spoken(each.data) for each in told]


def _spoken(fact: Fact) -> str:
    match fact:
        case outreach.PlanStarted():
            return f"plan {fact.plan_number} started: {fact.stage}"
        case outreach.PlanStopped():
            return f"plan {fact.plan_number} stopped: {fact.reason}, cancelled {list(fact.cancelled)}"
        case outreach.StepEnded():
            return f"step {fact.step_number} {fact.state}: {fact.reason}"
        case outreach.VisitScheduled() | outreach.VisitNotScheduled() | outreach.VisitRequested():
            return f"{type(fact).__name__} {fact.plan_number}/{fact.step_number} {fact.district}"
        case outreach.ContactDenied():
            return f"denied by {', '.join(fact.rules)} until {fact.next_allowed}"
        case _:
            return _said(fact)


def _said(fact: Fact) -> str:
    match fact:
        case outreach.OutcomeRecorded():
            return f"outcome {fact.result}"
        case outreach.PromiseKept() | outreach.PromiseBroken():
            return f"{type(fact).__name__} {fact.paid_amount}"
        case outreach.MatterRaised() | outreach.MatterOverdue():
            return f"{type(fact).__name__} {fact.kind} {fact.due_on}"
        case _:
            return type(fact).__name__

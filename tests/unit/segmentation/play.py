"""One debtor's lane in segmentation, played by hand: facts in, facts out, and what is due when its day comes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.strategy import Step
from services.segmentation.handlers.segmenter import Segmenter
from services.segmentation.publishing.editions import digest_of, directive_of
from services.segmentation.service import declare
from services.segmentation.store import LAYOUT, DebtorFile
from services.segmentation.strategies import load_playbook
from shared.contracts import intake, outreach
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary
from shared.contracts.outreach import OutcomeRecorded, OutcomeResult
from shared.contracts.segmentation import (
    CaseSegmented,
    Channel,
    StageSteps,
    StrategyDocument,
    StrategyPublished,
    StrategyScope,
    StrategyWithdrawn,
    TierAssigned,
    TreatmentAssigned,
    TreatmentStep,
)
from shared.service import Handler
from shared.settings import Settings

LADDER, TIMETABLE, HOLD_OUT = "d1", "d2", "d3"
"""Three debtors, by the arm of the shipped experiment that falls to them."""

DUE_ON = date(2026, 3, 1)
SETTINGS = Settings.demo()
SHIPPED = load_playbook()


DECLARED = declare(SETTINGS).actors[0].handlers


def handlers(playbook: Playbook | None = None) -> dict[type, Handler]:
    """The declared handlers, bound to another playbook where one is given."""
    if playbook is None:
        return dict(DECLARED)
    other = Segmenter(playbook)
    return {kind: getattr(other, handler.__name__) for kind, handler in DECLARED.items()}


@dataclass
class Play:
    """One debtor's lane: applies facts in order, moves the business date, and claims what is due."""

    handlers: dict[type, Handler] = field(default_factory=handlers)
    debtor_id: str = LADDER
    on: date = date.min
    file: DebtorFile = field(init=False)
    count: int = 0
    directives: dict[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with an empty file."""
        self.file = LAYOUT.empty(self.debtor_id)

    def hears(self, fact: Any, version: int = 0) -> list[str]:
        """Apply a fact or command with its case version; give what was told, in short."""
        return self._applied(fact, version)

    def day(self, days_past_due: int) -> list[str]:
        """Let the business date come on which the first due date is that many days past."""
        self.on = DUE_ON + timedelta(days_past_due)
        told: list[str] = []
        if self.file.due is not None and self.file.due.due_on <= self.on:
            row, self.file = self.file.due, replace(self.file, due=None)
            told += self._applied(row, 0)
        if self.file.review is not None and self.file.review.due_on <= self.on:
            review, self.file = self.file.review, replace(self.file, review=None)
            told += self._applied(review, 0)
        return told

    def _applied(self, data: Any, version: int) -> list[str]:
        self.count += 1
        instant = datetime.combine(max(self.on, DUE_ON), time(9), UTC)
        event = Event(
            id=derived_id("play", self.count), type="t", lender_id="bank", actor="operator/ann",
            debtor_id=self.debtor_id, case_version=version,
            occurred_at=instant, recorded_at=instant, data=data,
        )  # fmt: skip
        before = self.file
        self.file, told = self.handlers[type(data)](self.file, event, self._moment(instant))
        again = self.handlers[type(data)](before, event, self._moment(instant))
        assert again == (self.file, told), "a handler gives the same answer to the same question"
        self.told: Sequence[Told] = told
        return [short(one) for one in told]

    def _moment(self, instant: datetime) -> Moment:
        return Moment(instant, self.on, directives=self.directives)

    def is_told(self, fact: StrategyPublished | StrategyWithdrawn) -> None:
        """Have the lane go by it, as the runtime does."""
        self.directives[directive_of(fact)] = fact

    @property
    def treatment(self) -> TreatmentAssigned:
        """The treatment among what was told last."""
        return next(one.data for one in self.told if isinstance(one.data, TreatmentAssigned))


def short(told: Told) -> str:
    """What was told, in few words: kind, stage, and the case version that it was computed from."""
    fact = told.data
    if isinstance(fact, CaseSegmented):
        return f"segmented {fact.previous_stage or '-'} > {fact.stage} v{told.case_version}"
    if isinstance(fact, TierAssigned):
        return f"tier {fact.previous_tier or '-'} > {fact.tier}"
    assert isinstance(fact, TreatmentAssigned)
    steps = "" if fact.steps else " without steps"
    return f"treatment {fact.stage} v{told.case_version}{steps}"


def loan(loan_id: str = "L1", *, oldest: date | None = DUE_ON) -> LoanSummary:
    """A loan that is past due, or is not."""
    return LoanSummary(
        loan_id=loan_id, product="loan", portfolio="p", currency="CNY", past_due=0 if oldest is None else 120_000,
        outstanding=900_000, oldest_due_on=oldest, scheme="s", bucket="b",
    )  # fmt: skip


def case(
    days: int,
    *,
    status: CaseStatus = CaseStatus.OPEN,
    oldest: date | None = DUE_ON,
    ended: Disposition | None = None,
    loans: tuple[LoanSummary, ...] = (),
) -> CaseSummary:
    """A case as it stands `days` after the first due date."""
    return CaseSummary(
        case_id="c1", status=status, opened_on=DUE_ON, business_date=DUE_ON + timedelta(days), oldest_due_on=oldest,
        jurisdiction="CN", district="D", loans=loans or (loan(oldest=oldest),), disposition=ended,
    )  # fmt: skip


def cured(days: int) -> CaseSummary:
    """A case of which nothing is past due any more."""
    return case(days, status=CaseStatus.CURED, oldest=None)


def paid(after: CaseSummary) -> intake.PaymentPosted:
    """A payment, with the case as it stands after it."""
    at = datetime(2026, 3, 9, tzinfo=UTC)
    return intake.PaymentPosted(
        case=after, loan_id="L1", payment_id="p1", amount=5_000, currency="CNY", posted_at=at
    )  # fmt: skip


def reversed_payment(after: CaseSummary) -> intake.PaymentReversed:
    """A payment taken back, with the case as it stands after it."""
    at = datetime(2026, 3, 9, tzinfo=UTC)
    return intake.PaymentReversed(
        case=after, loan_id="L1", payment_id="p1", amount=5_000, currency="CNY", reversed_at=at
    )  # fmt: skip


RELEASED = outreach.HoldReleased(hold_id="h", reason="over")


def opened(days: int, playbook: Playbook | None = None, debtor_id: str = LADDER) -> Play:
    """A play in which the case was opened so many days past due, as version 1."""
    play = Play(handlers(playbook), debtor_id)
    play.day(days)
    play.hears(intake.CaseOpened(case=case(days)), 1)
    return play


def outcome(result: OutcomeResult = OutcomeResult.RIGHT_PARTY_REACHED, **taught: Any) -> OutcomeRecorded:
    """What came of a call."""
    return OutcomeRecorded(contact_id="k1", channel=Channel.PHONE, result=result, recorded_by="operator/ann", **taught)


def promise(days: int, promise_id: str = "p1") -> dict[str, Any]:
    """The fields of a promise to pay so many days after the first due date."""
    on = DUE_ON + timedelta(days)
    return {"promise_id": promise_id, "amount": 100, "currency": "CNY", "promised_on": on}


def ended(days: int) -> CaseSummary:
    """A case that is closed, since everything was paid."""
    return case(days, status=CaseStatus.CLOSED, oldest=None, ended=Disposition.PAID)


def document(
    version: int = 2, *, effective: int | date, cases: str = "all", name: str = "s2_ladder"
) -> StrategyDocument:
    """The shipped ladder with a letter as its first word in EARLY, in effect so many days past the first due date."""
    (shipped,) = [one for one in SHIPPED.strategies if one.name == name and one.version == 1]
    stages = []
    for stage, by_tier in shipped.steps.items():
        steps = {tier or "steps": tuple(map(_step, of)) for tier, of in by_tier.items()}
        if stage == "EARLY" and "steps" in steps:
            letter = TreatmentStep(number=1, channel=Channel.LETTER, after_days=1, template="balance_letter")
            steps["steps"] = (letter, *steps["steps"][1:])
        stages.append(StageSteps(stage=stage, **steps))
    on = effective if isinstance(effective, date) else DUE_ON + timedelta(effective)
    return StrategyDocument(
        id=name, version=version, effective_from=on, source="a test", cases=StrategyScope(cases), stages=tuple(stages)
    )  # fmt: skip


def _step(step: Step) -> TreatmentStep:
    return TreatmentStep(
        number=step.number, channel=Channel(step.channel), after_days=step.after_days, template=step.template
    )  # fmt: skip


def published(text: StrategyDocument) -> StrategyPublished:
    """A version that two persons have published."""
    return StrategyPublished(
        strategy=text, digest=digest_of(text), proposed_by="operator/ann", approved_by="supervisor/bob"
    )  # fmt: skip

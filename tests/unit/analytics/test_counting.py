"""What each fact adds to the counts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.analytics.domain.rows import DebtorRecord
from services.analytics.service import HANDLERS, declare
from services.analytics.store import LAYOUT
from shared.contracts import catalogue, intake, legal, outreach, quarantine, segmentation
from shared.contracts.envelope import Event, Fact, Moment
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary
from shared.contracts.outreach import PlannedStep, StepState
from shared.contracts.segmentation import Channel, Explanation
from shared.settings import Settings

AT = datetime(2026, 3, 9, 1, tzinfo=UTC)
ON = date(2026, 3, 9)
EXPLAINED = Explanation(rule="r", version="1", inputs={})


def loan(bucket: str = "0", loan_id: str = "L1", closed_as: str = "") -> LoanSummary:
    return LoanSummary(
        loan_id=loan_id,
        product="card",
        portfolio="p",
        currency="CNY",
        past_due=0 if closed_as else 500,
        outstanding=900,
        oldest_due_on=None,
        scheme="s",
        bucket="closed" if closed_as else bucket,
        closed_as=closed_as,
    )


def case(*loans: LoanSummary, on: date = ON, disposition: Disposition | None = None) -> CaseSummary:
    return CaseSummary(
        case_id="c1",
        status=CaseStatus.CLOSED if disposition else CaseStatus.OPEN,
        opened_on=ON,
        business_date=on,
        oldest_due_on=None,
        jurisdiction="CN",
        district="D",
        loans=loans or (loan(),),
        disposition=disposition,
    )


def paid(of: CaseSummary | None) -> intake.PaymentPosted:
    return intake.PaymentPosted(case=of, loan_id="L1", payment_id="p1", amount=70, currency="CNY", posted_at=AT)


def plan(number: int, *channels: Channel) -> outreach.PlanStarted:
    steps = tuple(PlannedStep(number=n, channel=channel, due_at=AT) for n, channel in enumerate(channels, start=1))
    return outreach.PlanStarted(plan_number=number, stage="EARLY", strategy="st", strategy_version=2, steps=steps)


def ended(number: int, step: int, channel: Channel, state: StepState) -> outreach.StepEnded:
    return outreach.StepEnded(plan_number=number, step_number=step, channel=channel, state=state, reason="r")


def stop(number: int, *cancelled: int) -> outreach.PlanStopped:
    return outreach.PlanStopped(plan_number=number, reason="r", cancelled=cancelled)


def contact(how: str) -> Fact:
    of: dict[str, Any] = {"contact_id": "c", "plan_number": 1, "step_number": 1, "channel": "phone"}
    pack: dict[str, Any] = {"purpose": "collection", "pack": "CN", "pack_version": "1"}
    match how:
        case "permitted":
            permit: dict[str, Any] = {
                "template": "t",
                "idempotency_key": "k",
                "tries": 1,
                "permitted_at": AT,
                "expires_at": AT,
            }
            return outreach.ContactPermitted(**of, **pack, **permit)
        case "not_made":
            return outreach.ContactNotMade(**of, reason="r")
        case "unknown":
            return outreach.ContactUnknown(**of, reason="r")
        case _:
            return outreach.ContactMade(**of, outcome=how, provider_reference="p")


def denied(*rules: str) -> Fact:
    return outreach.ContactDenied(
        plan_number=1,
        step_number=1,
        channel="phone",
        purpose="collection",
        pack="CN",
        pack_version="1",
        rules=rules,
        next_allowed=None,
    )


def visit(number: int, step: int) -> outreach.VisitRequested:
    return outreach.VisitRequested(
        plan_number=number, step_number=step, district="D", past_due=5, currency="CNY", requested_on=ON
    )


def told(facts: Sequence[Fact | tuple[int, Fact]], on: date = ON) -> DebtorRecord:
    """A record after facts; a fact may name its case version, else they have one after the other."""
    record: DebtorRecord = LAYOUT.empty("d1")
    for number, given in enumerate(facts, start=1):
        version, fact = given if isinstance(given, tuple) else (number, given)
        event: Event[Any] = Event(
            id=f"e{number}",
            type=catalogue.wire_name(type(fact)),
            lender_id="bank",
            debtor_id="d1",
            case_version=version,
            occurred_at=AT,
            recorded_at=AT,
            data=fact,
        )
        record, facts_told = HANDLERS[type(fact)](record, event, Moment(AT, on))
        assert facts_told == ()
    return record


def happened(record: DebtorRecord) -> dict[str, int]:
    """The counts, without those that cancel out."""
    counts: Counter[str] = Counter()
    for count in record.counts:
        counts[" ".join(filter(None, (count.subject, count.kind, count.detail)))] += count.times
    return {name: times for name, times in counts.items() if times}


SMS, PHONE, VISIT = Channel.SMS, Channel.PHONE, Channel.VISIT


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        pytest.param([intake.CaseOpened(case=case())], {"case opened": 1}, id="a case opens"),
        pytest.param([intake.CaseUpdated(case=case())], {}, id="an update is no happening"),
        pytest.param(
            [intake.CaseOpened(case=case()), intake.CaseCured(case=case()), intake.CaseReopened(case=case())],
            {"case opened": 1, "case cured": 1, "case reopened": 1},
            id="a case is cured and opens again",
        ),
        pytest.param(
            [intake.CaseClosed(case=case(loan(closed_as="paid"), disposition=Disposition.PAID))],
            {"case closed paid": 1},
            id="a case closes with its disposition",
        ),
        pytest.param(
            [(5, intake.CaseOpened(case=case())), (4, intake.CaseCured(case=case()))],
            {"case opened": 1},
            id="what is older than the last version heard did not happen to the case",
        ),
        pytest.param(
            [contact("permitted"), contact("not_made"), contact("permitted"), contact("voicemail")],
            {"contact phone permitted": 2, "contact phone not_made": 1, "contact phone voicemail": 1},
            id="permits count beside what came of them",
        ),
        pytest.param([contact("unknown")], {"contact phone unknown": 1}, id="a contact in doubt"),
        pytest.param(
            [denied("CN-W1", "CN-F3"), denied("CN-W1")],
            {"denial CN-W1 phone": 2, "denial CN-F3 phone": 1},
            id="a refusal counts under every rule that stood in the way",
        ),
        pytest.param(
            [plan(1, SMS, PHONE, SMS)],
            {"plan running": 1, "step sms scheduled": 2, "step phone scheduled": 1},
            id="a plan runs with its steps scheduled",
        ),
        pytest.param(
            [plan(1, SMS), plan(1, SMS)], {"plan running": 1, "step sms scheduled": 1}, id="a plan counts once"
        ),
        pytest.param(
            [plan(1, SMS, PHONE), ended(1, 1, SMS, StepState.NOT_DISPATCHED)],
            {"plan running": 1, "step sms not_dispatched": 1, "step phone scheduled": 1},
            id="a step ends",
        ),
        pytest.param(
            [plan(1, SMS), ended(1, 1, SMS, StepState.NOT_DISPATCHED)],
            {"plan completed": 1, "step sms not_dispatched": 1},
            id="a plan whose steps have all ended is completed",
        ),
        pytest.param([plan(1)], {"plan completed": 1}, id="a plan without steps is completed"),
        pytest.param(
            [plan(1, SMS, PHONE), ended(1, 1, SMS, StepState.NOT_DISPATCHED), stop(1, 2)],
            {"plan stopped": 1, "step sms not_dispatched": 1, "step phone cancelled": 1},
            id="a stop cancels what is queued",
        ),
        pytest.param(
            [plan(1, SMS), stop(1, 1), ended(1, 1, SMS, StepState.CANCELLED)],
            {"plan stopped": 1, "step sms cancelled": 1},
            id="a step that was cancelled by a stop ends once",
        ),
        pytest.param(
            [plan(1, VISIT), visit(1, 1), stop(1, 1), ended(1, 1, VISIT, StepState.ASSIGNED)],
            {"plan stopped": 1, "step visit cancelled": 1, "visit requested": 1},
            id="a step that has ended does not end otherwise",
        ),
        pytest.param(
            [plan(1, SMS), stop(1, 1), plan(2, PHONE)],
            {"plan stopped": 1, "step sms cancelled": 1, "plan running": 1, "step phone scheduled": 1},
            id="the next plan does not disturb the counts of the last",
        ),
        pytest.param(
            [plan(1, VISIT), plan(2, SMS), ended(1, 1, VISIT, StepState.UNASSIGNED)],
            {
                "plan completed": 1,
                "step visit unassigned": 1,
                "visit not_scheduled": 1,
                "plan running": 1,
                "step sms scheduled": 1,
            },
            id="a step of an older plan still ends",
        ),
        pytest.param(
            [plan(1, VISIT), visit(1, 1)],
            {"plan running": 1, "step visit requested": 1, "visit requested": 1},
            id="a visit is asked for",
        ),
        pytest.param(
            [plan(1, VISIT), visit(1, 1), ended(1, 1, VISIT, StepState.ASSIGNED)],
            {"plan completed": 1, "step visit assigned": 1, "visit requested": 1, "visit scheduled": 1},
            id="a visit is scheduled",
        ),
        pytest.param([stop(7, 1), ended(7, 1, SMS, StepState.CANCELLED)], {}, id="a plan that was never heard of"),
        pytest.param(
            [
                legal.MatterOpened(matter_id="m", claim=1, currency="CNY", oldest_due_on=ON, explanation=EXPLAINED),
                legal.MatterClosed(matter_id="m", reason="r"),
                legal.ReferralDeclined(referral_id="f", explanation=EXPLAINED),
            ],
            {"matter opened": 1, "matter closed": 1, "matter declined": 1},
            id="matters",
        ),
    ],
)
def test_happenings(facts: list[Any], counts: dict[str, int]) -> None:
    record = told(facts)
    assert happened(record) == counts
    assert len(record.facts) == len(facts)


@pytest.mark.parametrize(
    ("facts", "rolls"),
    [
        pytest.param(
            [intake.CaseOpened(case=case(loan("0"), loan("5", "L2")))], ["new->0 +1", "new->5 +1"], id="two loans"
        ),
        pytest.param(
            [intake.CaseOpened(case=case(loan("0"))), intake.DelinquencyRangeChanged(case=case(loan("1")))],
            ["new->0 +1", "new->0 -1", "new->1 +1"],
            id="the move of the month changes",
        ),
        pytest.param(
            [intake.CaseOpened(case=case(loan("0"))), paid(case(loan("current")))],
            ["new->0 +1", "new->0 -1", "new->current +1"],
            id="a payment carries the case as well",
        ),
        pytest.param(
            [(2, intake.CaseOpened(case=case(loan("0")))), (1, intake.CaseUpdated(case=case(loan("5"))))],
            ["new->0 +1"],
            id="an older version changes no bucket",
        ),
        pytest.param(
            [(2, intake.CaseOpened(case=case(loan("0")))), (1, paid(case(loan("5"))))],
            ["new->0 +1"],
            id="an older payment changes no bucket",
        ),
        pytest.param(
            [(2, intake.CaseOpened(case=case(loan("0")))), (2, intake.CaseUpdated(case=case(loan("5"))))],
            ["new->0 +1", "new->0 -1", "new->5 +1"],
            id="a second fact of the same version is not older",
        ),
        pytest.param(
            [intake.CaseOpened(case=case(loan("0"))), intake.CaseUpdated(case=case(loan("0")))],
            ["new->0 +1"],
            id="the same again adds nothing",
        ),
    ],
)
def test_moves(facts: list[Any], rolls: list[str]) -> None:
    record = told(facts)
    assert [f"{roll.from_bucket}->{roll.to_bucket} {roll.loans:+d}" for roll in record.rolls] == rolls
    assert {roll.month for roll in record.rolls} == {"2026-03"}


def test_payments_and_reversals_are_counted_whatever_the_case_says() -> None:
    reversal = intake.PaymentReversed(
        case=None, loan_id="L1", payment_id="p1", amount=30, currency="EUR", reversed_at=AT
    )
    record = told([(9, intake.CaseOpened(case=case())), (1, paid(case())), (0, paid(None)), (0, reversal)])
    assert [(c.kind, c.currency, c.measure, c.total) for c in record.cash] == [
        ("payment", "CNY", "count", 1),
        ("payment", "CNY", "amount", 70),
        ("payment", "CNY", "count", 1),
        ("payment", "CNY", "amount", 70),
        ("reversal", "EUR", "count", 1),
        ("reversal", "EUR", "amount", 30),
    ]


@pytest.mark.parametrize(
    ("fact", "on", "month", "kept"),
    [
        pytest.param(paid(case(on=date(2026, 2, 27))), ON, "2026-02", date(2026, 2, 27), id="the day of the case"),
        pytest.param(paid(None), ON, "2026-03", ON, id="the lender's day where there is no case"),
        pytest.param(paid(None), date.min, "", None, id="no day is known yet"),
    ],
)
def test_the_month_of_a_count(fact: Fact, on: date, month: str, kept: date | None) -> None:
    record = told([fact], on)
    assert {cash.month for cash in record.cash} == {month}
    assert record.facts[0].business_date == kept


def test_stage_and_strategy_are_noted_and_outlive_the_next_version_of_the_case() -> None:
    segmented = segmentation.CaseSegmented(
        stage="LATE", previous_stage="EARLY", days_past_due=40, explanation=EXPLAINED
    )
    treated = segmentation.TreatmentAssigned(
        stage="LATE", strategy="s2", strategy_version=3, steps=(), explanation=EXPLAINED
    )
    record = told([intake.CaseOpened(case=case()), segmented, treated, (9, intake.CaseUpdated(case=case()))])
    assert record.case is not None
    assert (record.case.stage, record.case.strategy, record.case.case_version) == ("LATE", "s2/3", 9)
    assert told([segmented, treated]).case is None


def test_a_plan_is_kept_until_the_next_one_starts() -> None:
    record = told([plan(1, SMS), ended(1, 1, SMS, StepState.NOT_DISPATCHED)])
    assert set(record.plans) == {1}
    assert set(told([plan(1, SMS), ended(1, 1, SMS, StepState.NOT_DISPATCHED), plan(2, SMS)]).plans) == {2}


def test_facts_are_kept_as_they_came() -> None:
    hold = quarantine.DebtorQuarantined(service="intake", letter_id="x")
    kept = told([(7, hold)]).facts[0]
    assert (kept.event_id, kept.type, kept.lender_id, kept.case_version) == (
        "e1",
        "quarantine.debtor-quarantined.v1",
        "bank",
        7,
    )
    assert kept.data == hold


def test_every_fact_about_a_debtor_on_the_topics_heard_is_kept() -> None:
    kind = declare(Settings.demo()).actors[0]
    without_debtor = {intake.BusinessDateAdvanced, outreach.RequestsClosed}
    told_there = {fact for topic in kind.inputs for fact in catalogue.TOPICS[topic].values()}
    assert set(kind.handlers) == told_there - without_debtor
    assert kind.output == ""


def test_a_handler_changes_nothing_of_what_it_was_given() -> None:
    before = told([intake.CaseOpened(case=case()), plan(1, SMS)])
    copy = replace(before, loans=dict(before.loans), plans=dict(before.plans))
    event: Event[Any] = Event(
        id="e", type="t", lender_id="bank", debtor_id="d1", case_version=9, occurred_at=AT, recorded_at=AT,
        data=intake.CaseUpdated(case=case(loan("5"))),
    )  # fmt: skip
    HANDLERS[intake.CaseUpdated](before, event, Moment(AT, ON))
    assert before == copy

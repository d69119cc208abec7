"""Dated plays through all five services: after each act, exactly the facts that were told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from services.intake.connectors.sending import CHINA
from shared.clock import VirtualClock
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact
from shared.messaging.embedded_log import EmbeddedLog
from shared.settings import SERVICES
from tests.conftest import BlankDatabase, DatabaseOf
from tests.e2e.invariants import broken
from tests.e2e.system import System

BANK = "demo-bank"
CHAMPION = "party-2"
"""A person to whom the ladder of S2 falls; in the timetable or the hold-out the steps would be others."""

NIGHT, MORNING, EVENING = time(6, 0), time(9, 0), time(23, 0)


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def at(text: str, hour: time) -> datetime:
    return datetime.combine(day(text), hour, CHINA)


def overdue(as_of: str, *due: tuple[str, int], loan: str = "loan-1", party: str = CHAMPION) -> LoanOverdue:
    """A snapshot of the night: (due date, amount) of what is unpaid."""
    unpaid = [Instalment(number=n, due_on=day(on), principal=amount) for n, (on, amount) in enumerate(due, 1)]
    return LoanOverdue(
        lender_id=BANK, loan_id=loan, party_id=party, as_of=day(as_of), posting_cut_off=at(as_of, time(0)),
        currency="CNY", instalments=tuple(unpaid), outstanding=1_000_000, district="CN-310101",
    )  # fmt: skip


def paid(on: str, amount: int, hour: time = MORNING, *, loan: str = "loan-1", party: str = CHAMPION) -> PaymentPosted:
    return PaymentPosted(
        lender_id=BANK, loan_id=loan, party_id=party, payment_id=f"{loan}/{on}", amount=amount, currency="CNY",
        posted_at=at(on, hour),
    )  # fmt: skip


def taken_back(payment: PaymentPosted, on: str, due_on: str) -> PaymentReversed:
    return PaymentReversed(
        lender_id=BANK, loan_id=payment.loan_id, party_id=payment.party_id, payment_id=payment.payment_id,
        amount=payment.amount, currency="CNY", posted_at=payment.posted_at, reversed_at=at(on, MORNING),
        settled_due_on=day(due_on),
    )  # fmt: skip


def ended(on: str, reason: ClosingReason = ClosingReason.PAID, *, loan: str = "loan-1") -> LoanClosed:
    return LoanClosed(lender_id=BANK, loan_id=loan, reason=reason, closed_at=at(on, MORNING))


class Story:
    """One debtor's story: each act says what was told in it."""

    def __init__(self, system: System) -> None:
        self.system, self.owners = system, system.owners

    async def night(self, on: str, *facts: Fact) -> list[str]:
        """The books move to a day; then the bank reports."""
        moved = BusinessDateAdvanced(lender_id=BANK, business_date=day(on))
        return [*await self.act(on, NIGHT, moved), *await self.act(on, NIGHT, *facts)]

    async def act(self, on: str, hour: time, *facts: Fact) -> list[str]:
        """It becomes that hour; the bank says one thing after the other."""
        self.system.clock.set(at(on, hour))
        told: list[str] = []
        for fact in facts:
            await self.system.write([fact], self.system.clock.now())
            await self.system.settle()
            told += await self.system.told()
        await self.system.settle()
        return [*told, *await self.system.told()]

    async def plans(self) -> list[tuple[Any, ...]]:
        return await self.owners.rows(
            "outreach", "SELECT plan_number, stage, case_version, state, end_reason FROM plan ORDER BY 1"
        )

    async def owes(self) -> dict[str, tuple[int, str]]:
        """What of each loan is past due, and its bucket."""
        cases = await self.owners.rows("intake", "SELECT loans FROM collection_case")
        loans = [loan for (of_case,) in cases for loan in json.loads(of_case)]
        return {loan["loan_id"]: (loan["past_due"], loan["bucket"]) for loan in loans}


@pytest.fixture
async def story(database_of: DatabaseOf, blank_database: BlankDatabase) -> AsyncIterator[Story]:
    clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
    log = await EmbeddedLog.open(blank_database(), clock=clock.now)
    urls = {name: database_of(name) for name in SERVICES}
    system = await System.made(urls, log, clock, blank_database(), seed=1)
    yield Story(system)
    await system.close()
    wrong = await broken(system.owners, log)
    await log.close()
    assert wrong == {}


EARLY = [
    "segmentation.case-segmented EARLY",
    "segmentation.tier-assigned low",
    "segmentation.treatment-assigned EARLY (stage entered)",
]


async def opened_early(story: Story) -> None:
    """A loan eight days past due, and the plan for it."""
    assert await story.night("03-02", overdue("03-02", ("02-22", 1000))) == ["intake.case-opened", *EARLY]
    assert await story.act("03-02", time(7, 0)) == ["outreach.plan-started EARLY"]
    assert await story.act("03-02", EVENING) == ["outreach.step-ended phone not_dispatched"]


async def test_an_overdue_loan_gets_a_plan_and_a_payment_stops_it(story: Story) -> None:
    await opened_early(story)
    assert await story.act("03-03", MORNING, paid("03-03", 1000)) == [
        "intake.payment-posted",
        "intake.case-cured",
        "outreach.plan-stopped payment posted",
    ]
    for on in ("03-04", "03-10", "03-30", "05-30"):
        assert await story.night(on) == []
        assert await story.act(on, EVENING) == []
    assert await story.plans() == [(1, "EARLY", 1, "stopped", "payment posted")]


async def test_a_part_payment_stops_the_plan_and_the_rest_gets_a_new_one(story: Story) -> None:
    await opened_early(story)
    assert await story.act("03-03", MORNING, paid("03-03", 400)) == [
        "intake.payment-posted",
        "segmentation.treatment-assigned EARLY (payment posted)",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.act("03-03", time(9, 5)) == ["outreach.plan-started EARLY"]
    assert await story.owes() == {"loan-1": (600, "M1")}
    assert [plan[2:4] for plan in await story.plans()] == [(1, "stopped"), (2, "active")]


async def test_a_reversal_resumes_what_the_payment_had_stopped(story: Story) -> None:
    await opened_early(story)
    payment = paid("03-03", 1000)
    await story.act("03-03", MORNING, payment)
    assert await story.act("03-05", MORNING, taken_back(payment, "03-05", "02-22")) == [
        "intake.payment-reversed",
        "intake.case-reopened",
        "segmentation.case-segmented EARLY",
        "segmentation.tier-assigned low",
        "segmentation.treatment-assigned EARLY (payment reversed)",
        "segmentation.treatment-assigned EARLY (case reopened)",
    ]
    assert await story.act("03-05", time(9, 5)) == ["outreach.plan-started EARLY"]
    assert await story.owes() == {"loan-1": (1000, "M1")}
    assert [plan[3] for plan in await story.plans()] == ["stopped", "active"]


@pytest.mark.parametrize(
    ("amount", "answers"),
    [
        pytest.param(1000, [], id="all of it was paid"),
        pytest.param(400, ["segmentation.treatment-assigned EARLY (payment posted)"], id="some of it was paid"),
    ],
)
async def test_a_treatment_computed_before_a_payment_and_heard_after_it_never_starts_a_plan(
    story: Story, amount: int, answers: list[str]
) -> None:
    await story.system.take("intake", "segmentation")
    assert await story.night("03-02", overdue("03-02", ("02-22", 1000))) == ["intake.case-opened", *EARLY]
    await story.system.take("intake")
    told = ["intake.payment-posted", "intake.case-cured"] if amount == 1000 else ["intake.payment-posted"]
    assert await story.act("03-02", MORNING, paid("03-02", amount)) == told
    await story.system.take("outreach")
    for hour in (time(9, 5), EVENING):
        assert await story.act("03-02", hour) == []
    refused = "SELECT reason, sum(treatments)::int FROM refused_treatment GROUP BY 1"
    assert await story.owners.rows("outreach", refused) == [("older than the last stop", 1)]
    assert await story.plans() == []
    await story.system.take()
    assert await story.act("03-03", NIGHT) == answers
    assert await story.act("03-03", time(7, 0)) == (["outreach.plan-started EARLY"] if answers else [])
    assert [plan[2] for plan in await story.plans()] == ([2] if answers else [])


async def test_a_backdated_payment_that_the_snapshot_already_held_stops_but_pays_nothing_off(story: Story) -> None:
    await opened_early(story)
    assert await story.act("03-03", MORNING, paid("02-27", 700)) == [
        "intake.payment-posted",
        "segmentation.treatment-assigned EARLY (payment posted)",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.owes() == {"loan-1": (1000, "M1")}
    assert await story.act("03-03", time(9, 5)) == ["outreach.plan-started EARLY"]


async def test_a_backdated_payment_after_the_snapshot_pays_off_as_if_it_had_come_in_time(story: Story) -> None:
    await opened_early(story)
    assert await story.night("03-05") == []
    assert await story.act("03-05", MORNING, paid("03-02", 1000)) == [
        "intake.payment-posted",
        "intake.case-cured",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.owes() == {"loan-1": (0, "current")}


async def test_two_loans_of_one_debtor_are_one_case_that_stands_where_the_worse_one_does(story: Story) -> None:
    await opened_early(story)
    second = overdue("03-03", ("01-22", 5000), loan="loan-2")
    assert await story.night("03-03", second) == [
        "intake.case-updated",
        "segmentation.case-segmented PRE_LEGAL",
        "segmentation.tier-assigned medium",
        "segmentation.treatment-assigned PRE_LEGAL (stage entered)",
    ]
    assert await story.act("03-03", time(7, 0)) == [
        "outreach.plan-stopped treatment changed",
        "outreach.plan-started PRE_LEGAL",
    ]
    assert await story.owes() == {"loan-1": (1000, "M1"), "loan-2": (5000, "M2")}
    assert await story.act("03-03", MORNING, paid("03-03", 5000, loan="loan-2")) == [
        "intake.payment-posted",
        "segmentation.case-segmented EARLY",
        "segmentation.tier-assigned low",
        "segmentation.treatment-assigned EARLY (payment posted)",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.act("03-03", time(9, 5)) == ["outreach.plan-started EARLY"]
    assert await story.act("03-03", time(10, 0), ended("03-03", loan="loan-2")) == ["intake.case-updated"]
    assert await story.act("03-03", time(11, 0), ended("03-03", ClosingReason.SETTLED)) == [
        "intake.case-closed",
        "outreach.plan-stopped case closed",
    ]
    assert await story.owners.count("intake", "SELECT count(*) FROM collection_case") == 1


async def test_a_loan_known_only_by_its_id_waits_for_its_debtor_and_then_needs_none(story: Story) -> None:
    nobody: dict[str, Any] = {"party": ""}
    assert await story.night("03-02") == []
    assert await story.act("03-02", time(10, 0), paid("03-02", 400, **nobody)) == []
    assert await story.owners.count("intake", "SELECT count(*) FROM loan_parked") == 1
    assert await story.act("03-02", time(11, 0), overdue("03-02", ("02-22", 1000))) == [
        "intake.payment-posted",
        "intake.case-opened",
        *EARLY,
    ]
    assert await story.owes() == {"loan-1": (600, "M1")}
    assert await story.act("03-02", time(12, 0)) == ["outreach.plan-started EARLY"]
    assert await story.act("03-03", MORNING, paid("03-03", 600, **nobody)) == [
        "intake.payment-posted",
        "intake.case-cured",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.night("03-24", overdue("03-24", ("03-22", 1000), **nobody)) == [
        "intake.case-reopened",
        "segmentation.case-segmented REMIND",
        "segmentation.tier-assigned low",
        "segmentation.treatment-assigned REMIND (case reopened)",
    ]


async def test_a_crew_is_sent_and_withdrawn_when_a_payment_comes_first(story: Story) -> None:
    assert await story.night("03-02", overdue("03-02", ("01-28", 1000))) == [
        "intake.case-opened",
        "segmentation.case-segmented PRE_LEGAL",
        "segmentation.tier-assigned medium",
        "segmentation.treatment-assigned PRE_LEGAL (stage entered)",
    ]
    assert await story.act("03-02", time(7, 0)) == ["outreach.plan-started PRE_LEGAL"]
    assert await story.act("03-02", EVENING) == ["outreach.step-ended letter not_dispatched"]
    assert await story.night("03-12") == []
    assert await story.act("03-12", EVENING) == ["outreach.visit-requested"]
    assert await story.night("03-13") == ["outreach.step-ended visit assigned"]
    visit = "SELECT district, visit_on, state FROM visit"
    assert await story.owners.rows("outreach", visit) == [("CN-310101", day("03-13"), "assigned")]
    assert await story.act("03-13", MORNING, paid("03-13", 1000)) == [
        "intake.payment-posted",
        "intake.case-cured",
        "outreach.plan-stopped payment posted",
    ]
    assert await story.owners.rows("outreach", visit) == [("CN-310101", day("03-13"), "withdrawn")]


async def test_a_case_goes_to_legal_and_its_payment_ends_the_matter_and_the_hold(story: Story) -> None:
    assert await story.night("03-04", overdue("03-04", ("01-01", 80_000))) == [
        "intake.case-opened",
        "segmentation.case-segmented LEGAL_OR_PLAN",
        "segmentation.tier-assigned medium",
        "segmentation.treatment-assigned LEGAL_OR_PLAN (stage entered)",
    ]
    assert await story.act("03-04", time(7, 0)) == ["outreach.plan-started LEGAL_OR_PLAN"]
    assert await story.act("03-04", EVENING) == [
        "outreach.step-ended legal_referral referred",
        "outreach.legal-referred",
        "outreach.plan-stopped hold placed",
        "legal.matter-opened",
        "legal.hold-placed",
    ]
    for on in ("03-05", "03-20"):
        assert await story.act(on, EVENING) == []
    assert await story.act("03-21", MORNING, paid("03-21", 80_000)) == [
        "intake.payment-posted",
        "intake.case-cured",
        "legal.matter-closed case cured",
        "legal.hold-released case cured",
    ]
    assert await story.act("03-22", EVENING, ended("03-22")) == ["intake.case-closed"]
    assert [plan[1:4:2] for plan in await story.plans()] == [("LEGAL_OR_PLAN", "stopped")]

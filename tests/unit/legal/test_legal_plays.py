"""Dated plays: what legal tells as a case is referred, paid in part, cured or closed, in whichever order it hears."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from services.legal.service import declare
from services.legal.store import LAYOUT, DebtorFile
from shared.contracts import intake
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary
from shared.contracts.legal import HoldPlaced, HoldReleased, MatterClosed, MatterOpened, ReferralDeclined
from shared.contracts.outreach import LegalReferred
from shared.settings import Settings

DUE_ON = date(2026, 3, 1)
TODAY = date(2026, 4, 26)
SETTINGS = Settings.demo()
HANDLERS = declare(SETTINGS).actors[0].handlers
REFERRED = LegalReferred(plan_number=4, step_number=3)


@dataclass
class Play:
    """One debtor's lane: applies facts in order, all in one batch or (settled rows not loaded again) one by one."""

    one_batch: bool = False
    on: date = TODAY
    file: DebtorFile = field(default_factory=lambda: LAYOUT.empty("d1"))
    count: int = 0
    told: Sequence[Told] = ()

    def hears(self, fact: Fact, version: int) -> list[str]:
        """Apply a fact with its case version; give what was told, in short."""
        self.count += 1
        instant = datetime(2026, 4, 26, 9, self.count, tzinfo=UTC)
        event = Event(
            id=f"event-{self.count}", type="t", lender_id="bank", debtor_id="d1", case_version=version,
            occurred_at=instant, recorded_at=instant, data=fact,
        )  # fmt: skip
        moment = Moment(instant, self.on)
        before = self.file
        self.file, self.told = HANDLERS[type(fact)](before, event, moment)
        assert HANDLERS[type(fact)](before, event, moment) == (self.file, self.told)
        if not self.one_batch:
            self._forget_settled()
        return [short(one) for one in self.told]

    def _forget_settled(self) -> None:
        self.file = DebtorFile(
            self.file.debtor_id,
            self.file.copy,
            {key: matter for key, matter in self.file.matters.items() if not matter.closed},
            {key: referral for key, referral in self.file.referrals.items() if not referral.answered},
        )


def short(told: Told) -> str:
    """What was told, in few words."""
    match told.data:
        case MatterOpened() as opened:
            return f"opened {opened.claim} {opened.currency} v{told.case_version}"
        case ReferralDeclined() as declined:
            return f"declined: {declined.explanation.inputs['reason']}"
        case MatterClosed() as closed:
            return f"closed: {closed.reason}"
        case HoldPlaced() as placed:
            return f"hold: {placed.reason}"
        case HoldReleased() as released:
            return f"released: {released.reason}"
        case _:
            raise AssertionError(told)


def loan(past_due: int, currency: str = "CNY", since: date = DUE_ON) -> LoanSummary:
    return LoanSummary(
        loan_id=f"L-{currency}", product="loan", portfolio="p", currency=currency, past_due=past_due,
        outstanding=900_000, oldest_due_on=since if past_due else None, scheme="s", bucket="b",
    )  # fmt: skip


def case(
    *loans: LoanSummary, status: CaseStatus = CaseStatus.OPEN, ended: Disposition | None = None, on: date = TODAY
) -> CaseSummary:
    due = [one.oldest_due_on for one in loans if one.oldest_due_on is not None]
    return CaseSummary(
        case_id="c1", status=status, opened_on=DUE_ON, business_date=on, oldest_due_on=min(due, default=None),
        jurisdiction="CN", district="D", loans=loans, disposition=ended,
    )  # fmt: skip


def paid(after: CaseSummary | None) -> intake.PaymentPosted:
    at = datetime(2026, 4, 26, tzinfo=UTC)
    return intake.PaymentPosted(
        case=after, loan_id="L", payment_id="p", amount=1, currency="CNY", posted_at=at
    )  # fmt: skip


OPENED = intake.CaseOpened(case=case(loan(120_000)))
CURED = intake.CaseCured(case=case(loan(0), status=CaseStatus.CURED))
CLOSED = intake.CaseClosed(case=case(loan(0), status=CaseStatus.CLOSED, ended=Disposition.PAID))


def pursued(*, one_batch: bool = False) -> Play:
    """A play in which a matter of 1,200.00 CNY is open, as of case version 5."""
    play = Play(one_batch)
    play.hears(OPENED, 5)
    assert play.hears(REFERRED, 5) == ["opened 120000 CNY v5", "hold: legal matter"]
    return play


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        pytest.param(case(loan(120_000)), ["opened 120000 CNY v5", "hold: legal matter"], id="a sound claim"),
        pytest.param(
            case(loan(60_000), loan(20_000, "EUR")),
            ["opened 60000 CNY v5", "opened 20000 EUR v5", "hold: legal matter"],
            id="one matter for each currency, and one hold",
        ),
        pytest.param(case(loan(49_999)), ["declined: the claim is below the minimum"], id="a small claim"),
        pytest.param(
            case(loan(120_000, since=date(2023, 4, 25))),
            ["declined: the claim is older than 3 years"],
            id="a time-barred claim",
        ),
        pytest.param(
            case(loan(120_000, since=date(2023, 4, 26)), on=TODAY + timedelta(1)),
            ["declined: the claim is older than 3 years"],
            id="a claim that is time-barred on the case's own date, ahead of the lane",
        ),
        pytest.param(CURED.case, ["declined: the case is not open"], id="a case that was cured meanwhile"),
        pytest.param(CLOSED.case, ["declined: the case is not open"], id="a case that was closed meanwhile"),
        pytest.param(case(loan(10**9, "XAF")), ["declined: no minimum claim is set for the currency"], id="a currency"),
        pytest.param(case(loan(0)), ["declined: nothing is past due"], id="an open case without a claim"),
    ],
)
def test_how_a_referral_is_answered(summary: CaseSummary, told: list[str]) -> None:
    play = Play()
    assert play.hears(intake.CaseUpdated(case=summary), 5) == []
    assert play.hears(REFERRED, 5) == told


@pytest.mark.parametrize(
    ("fact", "version", "told"),
    [
        pytest.param(CURED, 6, ["closed: case cured", "released: case cured"], id="a cure closes the matter"),
        pytest.param(CLOSED, 6, ["closed: case closed: paid", "released: case closed: paid"], id="so does a closing"),
        pytest.param(paid(CURED.case), 6, ["closed: case cured", "released: case cured"], id="a payment of all"),
        pytest.param(paid(case(loan(1))), 6, [], id="a payment that leaves something of the claim"),
        pytest.param(paid(None), 6, [], id="a payment without a case"),
        pytest.param(CURED, 5, [], id="an old cure"),
        pytest.param(CLOSED, 4, [], id="an old closing"),
        pytest.param(REFERRED, 5, ["declined: a matter is open"], id="a second referral"),
        pytest.param(
            intake.CaseUpdated(case=case(loan(0), loan(500, "EUR"))),
            6,
            ["closed: nothing is past due in CNY", "released: nothing is past due in CNY"],
            id="a claim that is settled while another currency is still owed",
        ),
    ],
)
def test_what_becomes_of_an_open_matter(fact: Fact, version: int, told: list[str]) -> None:
    assert pursued().hears(fact, version) == told


def test_the_hold_stands_until_the_last_matter_that_needs_it_is_closed() -> None:
    play = Play()
    play.hears(intake.CaseOpened(case=case(loan(60_000), loan(20_000, "EUR"))), 1)
    play.hears(REFERRED, 1)
    (placed,) = [one.data.hold_id for one in play.told if isinstance(one.data, HoldPlaced)]
    assert play.hears(paid(case(loan(0), loan(20_000, "EUR"))), 2) == ["closed: nothing is past due in CNY"]
    assert play.hears(CURED, 3) == ["closed: case cured", "released: case cured"]
    assert [one.data.hold_id for one in play.told if isinstance(one.data, HoldReleased)] == [placed]


def test_a_referral_that_comes_before_the_case_waits_for_it() -> None:
    play = Play()
    assert play.hears(REFERRED, 3) == []
    assert play.hears(OPENED, 2) == [], "the case is not yet known as outreach knew it"
    assert play.hears(intake.CaseUpdated(case=case(loan(130_000))), 3) == ["opened 130000 CNY v3", "hold: legal matter"]
    assert play.hears(intake.CaseUpdated(case=case(loan(140_000))), 4) == []


def test_two_referrals_that_wait_are_answered_in_their_order() -> None:
    play = Play()
    play.hears(REFERRED, 1)
    play.hears(REFERRED, 1)
    assert play.hears(OPENED, 1) == ["opened 120000 CNY v1", "hold: legal matter", "declined: a matter is open"]
    (declined,) = [one.data.referral_id for one in play.told if isinstance(one.data, ReferralDeclined)]
    assert declined == "event-2"


def test_a_referral_that_waits_for_a_case_which_is_cured_first_is_declined() -> None:
    play = Play()
    play.hears(REFERRED, 2)
    assert play.hears(CURED, 3) == ["declined: the case is not open"]


@pytest.mark.parametrize("one_batch", [True, False], ids=["in one batch", "one by one"])
def test_referred_paid_in_part_cured_overdue_again_and_referred_again(*, one_batch: bool) -> None:
    play = pursued(one_batch=one_batch)
    first = [one.data.matter_id for one in play.told if isinstance(one.data, MatterOpened)]
    assert play.hears(paid(case(loan(70_000))), 6) == []
    assert play.hears(CURED, 7) == ["closed: case cured", "released: case cured"]
    assert play.hears(intake.CaseReopened(case=case(loan(90_000))), 8) == []
    assert play.hears(REFERRED, 8) == ["opened 90000 CNY v8", "hold: legal matter"]
    second = [one.data.matter_id for one in play.told if isinstance(one.data, MatterOpened)]
    assert first != second


def test_every_answer_explains_itself_and_is_named_from_its_referral() -> None:
    play = pursued()
    opened, placed = play.told[0].data, play.told[1].data
    assert isinstance(opened, MatterOpened)
    assert isinstance(placed, HoldPlaced)
    assert opened.matter_id == derived_id("event-2", "matter/CNY")
    assert placed.hold_id == derived_id("event-2", "hold")
    assert opened.oldest_due_on == DUE_ON
    assert (opened.explanation.rule, opened.explanation.version) == (
        "screening.yaml: minimum_claim and limitation_period",
        "1",
    )
    assert opened.explanation.inputs == {
        "reason": "large enough and in time",
        "business_date": "2026-04-26",
        "case_version": "5",
        "case_status": "open",
        "limitation_years": "3",
        "claim.CNY": "120000",
        "minimum_claim.CNY": "50000",
        "oldest_due_on.CNY": "2026-03-01",
    }
    play.hears(REFERRED, 5)
    declined = play.told[0].data
    assert isinstance(declined, ReferralDeclined)
    assert (declined.referral_id, declined.explanation.rule) == ("event-3", "screening.yaml: no_open_matter")

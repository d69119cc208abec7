"""The edge: which debtor's lane each event of the bank ends on, and what waits."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.intake.ingress.domain import MOST_WAITING, LoanEntry
from services.intake.ingress.handlers import HANDLERS, ON_LANE, owner_of
from services.intake.ingress.store import LAYOUT
from services.intake.service import declare
from shared.contracts import catalogue
from shared.contracts.core_banking import BusinessDateAdvanced, OfLoan, PaymentPosted
from shared.contracts.envelope import Event, Moment, derived_id
from shared.contracts.ingress import ProfileReceived
from shared.messaging.rows import row_of, values
from shared.messaging.telling import Telling
from shared.service import Rejected
from shared.settings import Settings
from tests.unit.intake.play import instalment, payment, sealed_profile, snapshot

NOW = Moment(datetime(2024, 3, 5, tzinfo=UTC), date(2024, 3, 5))
ANNA, BRUNO = "a" * 32, "b" * 32
EMPTY: LoanEntry = LAYOUT.empty("demo-bank/loan-1")
OVERDUE = snapshot("2024-03-05", instalment("2024-03-01", 500, fee=3)).loan
INGRESS = next(kind for kind in declare(Settings.demo()).actors if kind.is_edge)
PAID = payment("2024-03-06T07:08:09.123456", 500, settled_due_on=date(2024, 3, 1)).payment


def event(data: Any, event_id: str, debtor_id: str = "") -> Event[Any]:
    at = datetime(2024, 3, 5, tzinfo=UTC)
    name = catalogue.wire_name(type(data))
    lender_id = getattr(data, "lender_id", "demo-bank")
    return Event(
        id=event_id, type=name, lender_id=lender_id, debtor_id=debtor_id, occurred_at=at, recorded_at=at, data=data
    )


def through_tables(loan: LoanEntry) -> LoanEntry:
    content: dict[str, Any] = {}
    for name, table in LAYOUT.tables.items():
        rows = {key: row_of(table, values(table, row)) for key, row in LAYOUT.rows(loan, name).items()}
        content[name] = rows if table.key else next(iter(rows.values()), None)
    return LoanEntry(loan.loan_key, **content)


def hear(loan: LoanEntry, data: OfLoan, event_id: str, debtor_id: str = "") -> tuple[LoanEntry, list[Any]]:
    after, told = HANDLERS[type(data)](through_tables(loan), event(data, event_id, debtor_id), NOW)
    return after, list(told)


def test_the_first_event_that_names_the_party_fixes_the_debtor_of_the_loan() -> None:
    loan, told = hear(EMPTY, OVERDUE, "1", ANNA)
    assert [(each.debtor_id, each.lender_id, each.data.loan) for each in told] == [(ANNA, "demo-bank", OVERDUE)]
    loan, told = hear(loan, PAID, "2")
    assert [(each.debtor_id, each.data.payment) for each in told] == [(ANNA, PAID)]


def test_events_of_an_unknown_loan_wait_and_come_first_in_their_order() -> None:
    loan, told = hear(EMPTY, PAID, "z")
    assert told == []
    second = msgspec.structs.replace(PAID, payment_id="payment-2")
    loan, told = hear(loan, second, "a")
    assert told == []
    loan, told = hear(loan, OVERDUE, "m", ANNA)
    assert [getattr(each.data, "payment", None) for each in told] == [PAID, second, None]
    assert told[-1].data.loan == OVERDUE
    assert {each.debtor_id for each in told} == {ANNA}
    assert loan.parked == {}
    assert loan.expiry is None


def test_what_has_waited_is_told_by_its_own_name_whatever_has_made_the_loan_known() -> None:
    names: list[list[str]] = []
    for waiting in (["w1"], ["w2", "w1"], []):
        loan = EMPTY
        for each in waiting:
            loan, _ = hear(loan, msgspec.structs.replace(PAID, payment_id=each), each)
        _, told = hear(loan, OVERDUE, "m", ANNA)
        wrapped = Telling(INGRESS, NOW.instant).wrap(0, event(OVERDUE, "m", ANNA), told)
        assert [each.event.caused_by for each in wrapped] == [*waiting, "m"]
        names.append([each.event.id for each in wrapped])
    assert names == [[derived_id(each, 0) for each in (*waiting, "m")] for waiting in (["w1"], ["w2", "w1"], [])]


def test_an_event_sent_twice_waits_once() -> None:
    loan, _ = hear(EMPTY, PAID, "1")
    again, _ = hear(loan, PAID, "1")
    assert len(again.parked) == 1


def test_another_party_for_a_known_loan_is_refused_and_holds_the_debtor_that_is_known() -> None:
    loan, _ = hear(EMPTY, OVERDUE, "1", ANNA)
    with pytest.raises(Rejected) as refusal:
        hear(loan, PAID, "2", BRUNO)
    assert (refusal.value.field, refusal.value.owner) == ("party_id", ANNA)
    assert (ANNA in str(refusal.value), BRUNO in str(refusal.value)) == (False, False)


def test_waiting_ends_as_a_dead_letter_after_seven_days_and_keeps_what_waits() -> None:
    loan, _ = hear(EMPTY, PAID, "1")
    assert loan.expiry is not None
    assert loan.expiry.due_at == NOW.instant + timedelta(days=7)
    due = Event(
        id="due", type="due", lender_id="demo-bank", occurred_at=NOW.instant, recorded_at=NOW.instant, data=loan.expiry
    )
    without = LoanEntry(loan.loan_key, None, loan.parked, None)
    with pytest.raises(Rejected, match="still unknown after 7 days"):
        HANDLERS[type(loan.expiry)](without, due, NOW)
    _, told = hear(without, OVERDUE, "2", ANNA)
    assert len(told) == 2


def test_a_loan_takes_no_more_waiting_events_than_any_bank_sends() -> None:
    loan = EMPTY
    for number in range(MOST_WAITING):
        loan, _ = HANDLERS[PaymentPosted](loan, event(PAID, str(number)), NOW)
    with pytest.raises(Rejected, match="too many") as refusal:
        hear(loan, PAID, "one more")
    assert refusal.value.field == "loan_id"


@pytest.mark.parametrize(
    ("data", "owner"),
    [
        pytest.param(OVERDUE, "demo-bank/loan-1", id="a snapshot is the loan's"),
        pytest.param(PAID, "demo-bank/loan-1", id="a payment is the loan's"),
        pytest.param(
            BusinessDateAdvanced(lender_id="demo-bank", business_date=date(2024, 3, 5)), "", id="a date is nobody's"
        ),
    ],
)
def test_whose_event_it_is(data: Any, owner: str) -> None:
    assert owner_of(event(data, "1")) == owner


def test_a_business_date_goes_to_all_lanes() -> None:
    advanced = BusinessDateAdvanced(lender_id="demo-bank", business_date=date(2024, 3, 5))
    (told,) = ON_LANE[BusinessDateAdvanced](event(advanced, "1"), NOW)
    assert (told.debtor_id, told.lender_id) == ("", "demo-bank")
    assert told.data.business_date == date(2024, 3, 5)  # type: ignore[attr-defined]


def test_a_profile_goes_to_its_debtor() -> None:
    profile = ProfileReceived(profile=sealed_profile(NOW.instant), index=())
    (told,) = ON_LANE[ProfileReceived](event(profile, "1", ANNA), NOW)
    assert (told.debtor_id, told.data) == (ANNA, profile)

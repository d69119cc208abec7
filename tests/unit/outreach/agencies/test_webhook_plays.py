"""An agency is told of its placements: once where all is well, again over three days, and then by hand."""

from datetime import timedelta

import msgspec
import pytest

from services.outreach.agencies.webhooks import domain
from services.outreach.agencies.webhooks.commands import ReplayDeliveries, RotateSecret, SetWebhook, SwitchWebhook
from services.outreach.agencies.webhooks.domain import PLACES, DeliveryState
from services.outreach.agencies.webhooks.hearing import decode
from shared.contracts import placements
from shared.contracts.deliveries import (
    DeliveryBegun,
    DeliveryFailed,
    DeliveryMade,
    DeliveryReplayed,
    WebhookSwitched,
)
from shared.contracts.envelope import Fact
from shared.service import Rejected
from tests.unit.outreach.agencies.webhook_play import AGENCY, DEBTOR, NINE, Desk, ended, event_of, record_of

FIRST, SECOND, THIRD = b"first", b"second", b"third"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.tell(SetWebhook(url="https://north.example/hook", secret=FIRST))
    return desk


def begun(desk: Desk, number: int = 1) -> DeliveryBegun:
    """The first attempt of a fact's delivery."""
    desk.hear(ended(), number)
    return one(desk.wait(seconds=0))


def one(told: list[Fact]) -> DeliveryBegun:
    [fact] = [each for each in told if isinstance(each, DeliveryBegun)]
    return fact


def test_a_fact_is_sent_once_and_taken(desk: Desk) -> None:
    attempt = begun(desk)
    assert (attempt.attempt, attempt.url, attempt.secrets) == (1, "https://north.example/hook", (FIRST,))
    assert [type(each) for each in desk.answer(attempt, 204)] == [DeliveryMade]
    assert desk.delivery(attempt.delivery_id).state is DeliveryState.DELIVERED
    assert desk.wait(days=30) == []


def test_what_is_sent_says_what_it_is_about_and_whose() -> None:
    event = decode(record_of(event_of(ended())))
    assert event is not None
    said = msgspec.json.decode(event.data.payload)
    assert said == {
        "type": "outreach.placement-ended.v1",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {
            "debtor_id": DEBTOR, "lender_id": "bank", "placement_id": "p-1", "agency_id": AGENCY, "end": "paid",
            "reason": "paid in full",
        },
    }  # fmt: skip


@pytest.mark.parametrize("fact", [placements.PlacementAccepted, placements.PlacementRecallObjected])
def test_what_the_agency_did_itself_it_is_not_told(fact: type[Fact]) -> None:
    other = {"reason": "ours"} if fact is placements.PlacementRecallObjected else {}
    made = fact(placement_id="p-1", agency_id=AGENCY, **other)
    assert decode(record_of(event_of(made))) is None


@pytest.mark.parametrize("by_lender", [True, False])
def test_of_documents_it_is_told_what_it_was_given(*, by_lender: bool) -> None:
    filed = placements.PlacementDocumentFiled(
        placement_id="p-1",
        agency_id=AGENCY,
        document_id="d-1",
        kind=placements.DocumentKind.MANDATE,
        media_type="application/pdf",
        size=1,
        sha256="f" * 64,
        by_lender=by_lender,
        contact_id="",
    )
    assert (decode(record_of(event_of(filed))) is not None) is by_lender


@pytest.mark.parametrize("end", placements.ReportEnd)
def test_of_reported_payments_it_is_told_what_others_made_of_them(end: placements.ReportEnd) -> None:
    fact = placements.PlacementReportEnded(
        placement_id="p-1", agency_id=AGENCY, report_id="r-1", end=end, loan_id="", payment_id="", reason="seen to"
    )
    assert (decode(record_of(event_of(fact))) is None) is (end is placements.ReportEnd.WITHDRAWN)


def test_nothing_is_kept_for_an_agency_without_a_webhook() -> None:
    desk = Desk()
    desk.hear(ended())
    assert (desk.state.deliveries, desk.state.due) == ({}, {})


def test_a_fact_that_is_told_twice_is_one_delivery_even_when_it_was_taken(desk: Desk) -> None:
    desk.answer(begun(desk), 200)
    desk.hear(ended(), 1)
    assert desk.wait(days=1) == []


def test_it_is_tried_ten_times_over_three_days_under_one_id_and_then_kept(desk: Desk) -> None:
    told: list[Fact] = [begun(desk)]
    attempts = list[DeliveryBegun]()
    times = list[timedelta]()
    while told:
        attempts.append(one(told))
        times.append(desk.now - NINE)
        [failed] = desk.answer(attempts[-1], 500)
        assert isinstance(failed, DeliveryFailed)
        told = [] if failed.next_at is None else desk.wait(seconds=(failed.next_at - desk.now).total_seconds())
    assert [each.attempt for each in attempts] == list(range(1, 11))
    assert len({(each.delivery_id, each.payload) for each in attempts}) == 1
    assert timedelta(days=2, hours=20) < times[-1] < timedelta(days=3, hours=12)
    assert desk.delivery(attempts[0].delivery_id).state is DeliveryState.DEAD
    assert desk.wait(days=30) == []


def test_waits_grow_and_what_failed_together_is_not_tried_together(desk: Desk) -> None:
    times = set()
    for number in range(1, PLACES + 1):
        [failed] = desk.answer(begun(desk, number), 500)
        assert isinstance(failed, DeliveryFailed)
        assert failed.next_at is not None
        times.add(failed.next_at - desk.now)
    assert len(times) == PLACES
    assert timedelta(seconds=5) <= min(times) <= max(times) <= timedelta(seconds=6)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (2, 5, 6),
        (600, 600, 601),
        (10**9, 86_400, 86_401),
    ],
)
def test_a_receiver_may_ask_for_time_within_bounds(desk: Desk, asked: float, least: int, most: int) -> None:
    [failed] = desk.answer(begun(desk), 429, asked)
    assert isinstance(failed, DeliveryFailed)
    assert failed.next_at is not None
    assert least <= (failed.next_at - desk.now).total_seconds() <= most


def test_a_receiver_that_is_gone_is_told_no_more_and_what_waited_is_kept(desk: Desk) -> None:
    first, second = begun(desk, 1), begun(desk, 2)
    failed, switched = desk.answer(first, 410)
    assert isinstance(failed, DeliveryFailed)
    assert failed.next_at is None
    assert switched == WebhookSwitched(agency_id=AGENCY, enabled=False, reason="the receiver says that it is gone")
    assert desk.delivery(second.delivery_id).state is DeliveryState.CANCELLED
    third = desk.hear(ended(), 3)
    assert desk.delivery(third).state is DeliveryState.CANCELLED
    assert desk.wait(days=4) == []


def test_a_late_yes_counts_whatever_had_been_thought(desk: Desk) -> None:
    first = begun(desk)
    desk.answer(first, 410)
    assert [type(each) for each in desk.answer(first, 200)] == [DeliveryMade]
    assert desk.delivery(first.delivery_id).state is DeliveryState.DELIVERED


def test_a_late_no_changes_nothing(desk: Desk) -> None:
    first = begun(desk)
    desk.answer(first, 500)
    second = one(desk.wait(seconds=10))
    assert desk.answer(first, 500) == []
    assert desk.answer(first, 410) == []
    assert [type(each) for each in desk.answer(second, 200)] == [DeliveryMade]


def test_whoever_dies_with_a_call_in_hand_leaves_it_to_be_made_again_under_the_same_id(desk: Desk) -> None:
    first = begun(desk)
    assert desk.wait(seconds=59) == []
    failed, again = desk.wait(seconds=10)
    assert isinstance(failed, DeliveryFailed)
    assert (failed.status, failed.reason) == (0, "nobody has answered for it")
    assert isinstance(again, DeliveryBegun)
    assert (again.delivery_id, again.attempt) == (first.delivery_id, 2)


def test_no_more_are_on_their_way_than_there_are_places_and_each_answer_lets_one_more_go(desk: Desk) -> None:
    for number in range(PLACES + 3):
        desk.hear(ended(), number)
    away = [each for each in desk.wait(seconds=0) if isinstance(each, DeliveryBegun)]
    assert len(away) == PLACES
    taken, following = desk.answer(away[0], 200)
    assert isinstance(taken, DeliveryMade)
    assert isinstance(following, DeliveryBegun)
    assert following.delivery_id not in {each.delivery_id for each in away}
    sending = [each for each in desk.state.deliveries.values() if each.state is DeliveryState.SENDING]
    assert len(sending) == PLACES


def test_what_waits_for_a_place_does_not_wait_for_ever(desk: Desk) -> None:
    for number in range(PLACES + 1):
        desk.hear(ended(), number)
    away = {each.delivery_id for each in desk.wait(seconds=0) if isinstance(each, DeliveryBegun)}
    [held] = desk.state.deliveries.keys() - away
    assert held in {each.delivery_id for each in desk.wait(minutes=2) if isinstance(each, DeliveryBegun)}


def test_for_a_day_two_secrets_sign_and_never_three(desk: Desk) -> None:
    desk.tell(RotateSecret(secret=SECOND))
    assert begun(desk, 1).secrets == (SECOND, FIRST)
    desk.tell(RotateSecret(secret=THIRD))
    assert begun(desk, 2).secrets == (THIRD, SECOND)
    desk.now += domain.OVERLAP
    desk.hear(ended(), 3)
    assert {each.secrets for each in desk.wait(seconds=0) if isinstance(each, DeliveryBegun)} == {(THIRD,)}


def test_a_secret_that_was_seen_by_others_can_be_ended_at_once(desk: Desk) -> None:
    desk.tell(RotateSecret(secret=SECOND, at_once=True))
    assert begun(desk).secrets == (SECOND,)


def test_what_was_given_up_is_replayed_from_the_beginning(desk: Desk) -> None:
    first = begun(desk)
    desk.answer(first, 410)
    desk.tell(SwitchWebhook(enabled=True, reason="mended"))
    assert desk.tell(ReplayDeliveries(delivery_ids=(first.delivery_id,))) == [
        DeliveryReplayed(agency_id=AGENCY, delivery_id=first.delivery_id)
    ]
    again = one(desk.wait(seconds=0))
    assert (again.delivery_id, again.attempt) == (first.delivery_id, 2)
    [failed] = desk.answer(again, 500)
    assert isinstance(failed, DeliveryFailed)
    assert failed.next_at is not None
    assert failed.next_at - desk.now < timedelta(seconds=7)


def test_only_what_was_given_up_is_replayed(desk: Desk) -> None:
    first = begun(desk)
    for ids in ((first.delivery_id,), ("0" * 32,)):
        with pytest.raises(Rejected, match="given up"):
            desk.tell(ReplayDeliveries(delivery_ids=ids))


def test_nothing_is_replayed_to_a_webhook_that_is_disabled(desk: Desk) -> None:
    first = begun(desk)
    desk.tell(SwitchWebhook(enabled=False, reason="moving"))
    with pytest.raises(Rejected, match="disabled"):
        desk.tell(ReplayDeliveries(delivery_ids=(first.delivery_id,)))


@pytest.mark.parametrize("command", [RotateSecret(secret=FIRST), SwitchWebhook(enabled=True, reason="why not")])
def test_without_a_webhook_there_is_nothing_to_change(command: object) -> None:
    with pytest.raises(Rejected, match="no webhook"):
        Desk().tell(command)


def test_a_webhook_is_not_enabled_twice(desk: Desk) -> None:
    with pytest.raises(Rejected, match="enabled already"):
        desk.tell(SwitchWebhook(enabled=True, reason="why not"))


def test_what_waits_goes_to_the_new_address(desk: Desk) -> None:
    desk.hear(ended())
    desk.tell(SetWebhook(url="https://south.example/hook", secret=SECOND))
    attempt = one(desk.wait(seconds=0))
    assert (attempt.url, attempt.secrets) == ("https://south.example/hook", (SECOND,))


# -- what has ended goes -----------------------------------------------------------------------------------------------


def test_what_was_taken_is_kept_for_thirty_days(desk: Desk) -> None:
    attempt = begun(desk)
    desk.answer(attempt, 200)
    assert desk.wait(days=29, hours=23) == []
    assert attempt.delivery_id in desk.state.deliveries
    assert desk.wait(hours=1) == []
    assert (desk.state.deliveries, desk.state.due) == ({}, {})
    assert desk.answer(attempt, 200) == []


def test_what_could_be_replayed_is_kept_for_ninety(desk: Desk) -> None:
    dead, cancelled = begun(desk, 1), begun(desk, 2)
    desk.answer(dead, 410)
    desk.wait(days=89, hours=23)
    states = {key: each.state for key, each in desk.state.deliveries.items()}
    assert states == {dead.delivery_id: DeliveryState.DEAD, cancelled.delivery_id: DeliveryState.CANCELLED}
    desk.wait(hours=1)
    assert desk.state.deliveries == {}
    desk.tell(SwitchWebhook(enabled=True, reason="mended"))
    with pytest.raises(Rejected, match="no delivery"):
        desk.tell(ReplayDeliveries(delivery_ids=(dead.delivery_id,)))


def test_what_is_replayed_stays_until_it_has_ended_again(desk: Desk) -> None:
    first = begun(desk)
    desk.answer(first, 410)
    desk.wait(days=89)
    desk.tell(SwitchWebhook(enabled=True, reason="mended"))
    desk.tell(ReplayDeliveries(delivery_ids=(first.delivery_id,)))
    again = one(desk.wait(days=0))
    assert desk.delivery(first.delivery_id).goes_at is None
    desk.answer(again, 200)
    desk.wait(days=29)
    assert desk.delivery(first.delivery_id).state is DeliveryState.DELIVERED
    desk.wait(days=1)
    assert desk.state.deliveries == {}


def test_what_is_open_does_not_go_however_long_its_receiver_is_away(desk: Desk) -> None:
    waiting = desk.hear(ended())
    attempt = one(desk.wait(seconds=0))
    desk.answer(attempt, 500)
    assert desk.delivery(waiting).goes_at is None
    desk.now += domain.LONGEST_WAIT * 400
    assert [type(each) for each in desk.wait(seconds=0)] == [DeliveryBegun]

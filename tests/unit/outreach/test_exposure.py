"""Dated plays: who was contacted after a payment had come in, and before outreach could know of it."""

from datetime import timedelta

import pytest

from services.outreach.contacts.domain.exposure import Exposure
from services.outreach.contacts.ports import RefusedError
from shared.contracts.segmentation import Channel
from tests.unit.outreach.play import CURED, payment, treatment
from tests.unit.outreach.test_contact_plays import SMS, Contacting, Provider

A_SECOND = timedelta(seconds=1)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def play(provider: Provider) -> Contacting:
    return Contacting(provider)


def test_a_message_between_a_payments_arrival_and_its_stop_is_exposure(play: Contacting) -> None:
    play.started(assigned=treatment("EARLY", (Channel.SMS, 0), (Channel.SMS, 5)))
    play.wait(days=1)
    [contact] = play.state.contacts.values()
    received_at = contact.permitted_at - A_SECOND
    play.now = type(play.now)(contact.permitted_at + 2 * A_SECOND, play.now.business_date)
    assert play.tell(payment(received_at=received_at), 2) == [
        "plan 1 stopped: payment posted, cancelled [2]",
        "ContactRecalled",
    ]
    stopped_at = received_at + 3 * A_SECOND
    assert play.state.exposures == (Exposure(contact.contact_id, "p-1", received_at, contact.permitted_at, stopped_at),)


def test_it_is_exposure_as_well_where_that_message_was_the_last_of_its_plan(play: Contacting) -> None:
    play.started(assigned=SMS)
    play.wait(days=1)
    [contact] = play.state.contacts.values()
    assert play.tell(payment(CURED, received_at=contact.permitted_at), 2) == ["ContactRecalled"]
    assert [each.contact_id for each in play.state.exposures] == [contact.contact_id]


def test_a_message_before_the_payment_came_in_is_none(play: Contacting) -> None:
    play.started(assigned=SMS)
    play.wait(days=1)
    [contact] = play.state.contacts.values()
    play.tell(payment(received_at=contact.permitted_at + A_SECOND), 2)
    assert play.state.exposures == ()


def test_a_message_that_certainly_reached_nobody_is_none(play: Contacting, provider: Provider) -> None:
    provider.before = [RefusedError("no such number")]
    play.started(assigned=SMS)
    begun = play.now.instant
    play.wait(days=1)
    play.tell(payment(received_at=begun), 2)
    assert (play.contacts, play.state.exposures) == (["not_made"], ())


def test_a_fact_that_does_not_say_when_a_payment_came_in_counts_from_when_it_was_recorded(play: Contacting) -> None:
    play.started(assigned=SMS)
    play.wait(days=1)
    play.tell(payment(), 2)
    assert play.state.exposures == ()

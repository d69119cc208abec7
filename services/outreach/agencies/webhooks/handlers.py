"""What an agency is told: facts about its placements become deliveries, and each is tried until it is taken."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from services.outreach.agencies.webhooks import domain
from services.outreach.agencies.webhooks.commands import ReplayDeliveries, RotateSecret, SetWebhook, SwitchWebhook
from services.outreach.agencies.webhooks.domain import (
    OVERLAP,
    REPLAYABLE,
    Delivery,
    DeliveryDue,
    DeliveryState,
    Endpoint,
    Webhooks,
)
from services.outreach.agencies.webhooks.hearing import DeliveryHeard, Notice, delivery_of
from shared.contracts import deliveries
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.frozen import replace
from shared.service import Rejected

Decision: TypeAlias = tuple[Webhooks, Sequence[Told]]

GONE = 410
_MADE = range(200, 300)


def on_notice(state: Webhooks, event: Event[Notice], now: Moment) -> Decision:
    """Keep what an agency is to be told; nothing for one that has no webhook."""
    if state.endpoint is None or delivery_of(event) in state.deliveries:
        return state, ()
    delivery = Delivery(
        delivery_id=delivery_of(event),
        event_type=event.type,
        debtor_id=event.debtor_id,
        lender_id=event.lender_id,
        payload=event.data.payload,
        state=DeliveryState.WAITING,
        created_at=now.instant,
    )
    if not state.endpoint.enabled:
        reason = state.endpoint.reason
        return domain.kept(state, domain.ended(delivery, DeliveryState.CANCELLED, 0, reason, now.instant)), ()
    return domain.kept(state, delivery, domain.due_of(delivery, now.instant)), ()


def on_due(state: Webhooks, event: Event[DeliveryDue], now: Moment) -> Decision:
    """Begin an attempt; one that nobody has answered for in time has failed: its process is gone."""
    delivery = state.deliveries.get(event.data.delivery_id)
    if delivery is None or delivery.settled:
        return state, ()
    if delivery.state is DeliveryState.SENDING:
        return _failed(state, delivery, 0, "nobody has answered for it", timedelta(), now)
    return _begin(state, delivery, now)


def _begin(state: Webhooks, delivery: Delivery, now: Moment) -> Decision:
    """Send a delivery on its way, or let it wait for a place."""
    if not domain.has_place(state):
        return domain.kept(state, delivery, domain.due_of(delivery, now.instant + domain.HELD, held=True)), ()
    endpoint = _endpoint(state)
    state, delivery = domain.begun(state, delivery, now.instant)
    fact = deliveries.DeliveryBegun(
        agency_id=state.agency_id,
        delivery_id=delivery.delivery_id,
        attempt=delivery.attempts,
        url=endpoint.url,
        secrets=endpoint.secrets(now.instant),
        payload=delivery.payload,
    )
    return state, (_told(delivery, fact),)


def on_heard(state: Webhooks, event: Event[DeliveryHeard], now: Moment) -> Decision:
    """Take what came of an attempt: a late yes counts, a late no does not."""
    heard, delivery = event.data, state.deliveries.get(event.data.delivery_id)
    if delivery is None or delivery.state is DeliveryState.DELIVERED:
        return state, ()
    if heard.status in _MADE:
        return _made(state, delivery, heard, now)
    if delivery.state is not DeliveryState.SENDING or heard.attempt != delivery.attempts:
        return state, ()
    if heard.status == GONE:
        return _gone(state, delivery, now)
    return _failed(state, delivery, heard.status, heard.reason, timedelta(seconds=heard.seconds), now)


def _made(state: Webhooks, delivery: Delivery, heard: DeliveryHeard, now: Moment) -> Decision:
    delivery = domain.ended(delivery, DeliveryState.DELIVERED, heard.status, "", now.instant)
    fact = deliveries.DeliveryMade(
        agency_id=state.agency_id, delivery_id=delivery.delivery_id, attempt=heard.attempt, status=heard.status
    )
    return _handed_over(domain.kept(state, delivery), (_told(delivery, fact),), now)


def _failed(state: Webhooks, delivery: Delivery, status: int, reason: str, asked: timedelta, now: Moment) -> Decision:
    """Try again later, or give it up; its place is for whoever waits for one."""
    at = domain.next_at(delivery, now.instant, asked)
    if at is None:
        delivery = domain.ended(delivery, DeliveryState.DEAD, status, reason, now.instant)
        state = domain.kept(state, delivery)
    else:
        delivery = replace(delivery, state=DeliveryState.WAITING, last_status=status, last_reason=reason)
        state = domain.kept(state, delivery, domain.due_of(delivery, at))
    return _handed_over(state, (_failure(state, delivery, at),), now)


def _failure(state: Webhooks, delivery: Delivery, at: Any) -> Told:
    fact = deliveries.DeliveryFailed(
        agency_id=state.agency_id,
        delivery_id=delivery.delivery_id,
        attempt=delivery.attempts,
        status=delivery.last_status,
        reason=delivery.last_reason,
        next_at=at,
    )
    return _told(delivery, fact)


def _gone(state: Webhooks, delivery: Delivery, now: Moment) -> Decision:
    """The receiver wants no more: it is not asked again before somebody enables it."""
    reason = "the receiver says that it is gone"
    delivery = domain.ended(delivery, DeliveryState.DEAD, GONE, reason, now.instant)
    state = domain.disabled(domain.kept(state, delivery), _endpoint(state), reason, now.instant)
    return state, (_failure(state, delivery, None), _switched(state))


def _handed_over(state: Webhooks, told: Sequence[Told], now: Moment) -> Decision:
    """Begin what has waited longest for the place that became free."""
    following = domain.first_held(state)
    if following is None or not domain.has_place(state):
        return state, told
    state, more = _begin(state, following, now)
    return state, (*told, *more)


def on_old(state: Webhooks, _event: Event[Delivery], _now: Moment) -> Decision:
    """Forget a delivery that ended long ago: its row is out of the state already, and nobody is told."""
    return state, ()


def on_set(state: Webhooks, event: Event[SetWebhook], now: Moment) -> Decision:
    """Tell an agency at this address from now on, what waits for it included."""
    endpoint = Endpoint(
        url=event.data.url,
        secret=event.data.secret,
        older_secret=None,
        older_until=None,
        enabled=True,
        reason="",
        set_at=now.instant,
        set_by=event.actor,
    )
    fact = deliveries.WebhookSet(agency_id=state.agency_id, url=endpoint.url)
    return replace(state, endpoint=endpoint), (_of_endpoint(fact),)


def on_rotate(state: Webhooks, event: Event[RotateSecret], now: Moment) -> Decision:
    """Sign by a new secret, and for a while by the one before as well. Raises Rejected."""
    known, at_once = _endpoint(state), event.data.at_once
    endpoint = replace(
        known,
        secret=event.data.secret,
        older_secret=None if at_once else known.secret,
        older_until=None if at_once else now.instant + OVERLAP,
    )
    fact = deliveries.WebhookSecretRotated(agency_id=state.agency_id, at_once=at_once)
    return replace(state, endpoint=endpoint), (_of_endpoint(fact),)


def on_switch(state: Webhooks, event: Event[SwitchWebhook], now: Moment) -> Decision:
    """Tell an agency no more, or again. Raises Rejected where that is so already."""
    endpoint, enabled = _endpoint(state), event.data.enabled
    if endpoint.enabled is enabled:
        raise Rejected(f"the webhook is {'enabled' if enabled else 'disabled'} already", field="enabled")
    if enabled:
        state = replace(state, endpoint=replace(endpoint, enabled=True, reason=event.data.reason))
    else:
        state = domain.disabled(state, endpoint, event.data.reason, now.instant)
    return state, (_switched(state),)


def on_replay(state: Webhooks, event: Event[ReplayDeliveries], now: Moment) -> Decision:
    """Try what was given up or cancelled from the beginning. Raises Rejected where there is none of it."""
    if not _endpoint(state).enabled:
        raise Rejected("the webhook is disabled: enable it first", field="enabled")
    wanted = [state.deliveries.get(each) for each in dict.fromkeys(event.data.delivery_ids)]
    found = [each for each in wanted if each is not None and each.state in REPLAYABLE]
    if not found:
        raise Rejected("no delivery of this agency that was given up has this id", field="delivery_id")
    for each in found:
        state = domain.kept(state, domain.again(each), domain.due_of(each, now.instant))
    return state, tuple(
        _told(each, deliveries.DeliveryReplayed(agency_id=state.agency_id, delivery_id=each.delivery_id))
        for each in found
    )


def _endpoint(state: Webhooks) -> Endpoint:
    if state.endpoint is None:
        raise Rejected("the agency has no webhook", field="agency_id")
    return state.endpoint


def _switched(state: Webhooks) -> Told:
    endpoint = _endpoint(state)
    fact = deliveries.WebhookSwitched(agency_id=state.agency_id, enabled=endpoint.enabled, reason=endpoint.reason)
    return _of_endpoint(fact)


def _of_endpoint(fact: Fact) -> Told:
    return Told(fact, debtor_id="")


def _told(delivery: Delivery, fact: Fact) -> Told:
    """A fact about a delivery, which may be another than the one that the event is about."""
    return Told(fact, debtor_id=delivery.debtor_id, lender_id=delivery.lender_id)

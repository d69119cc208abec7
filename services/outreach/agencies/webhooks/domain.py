"""When a delivery is tried, when again, and when it is given up. Pure: chance comes from the delivery's own id.

The order of deliveries is not kept: what failed comes after what did not. A delivery may arrive more than once, always
under the same id, by which its receiver knows it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.frozen import replace

WAITS = tuple(timedelta(seconds=each) for each in (5, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400, 86_400))
"""How long is waited after each failed attempt at least: three days in all."""

LONGEST_WAIT = timedelta(days=1)
"""More than that nobody can ask us to wait."""

SPREAD = 5
"""A wait is longer by up to one fifth, so that what failed together is not tried together."""

PATIENCE = timedelta(seconds=60)
"""After that, whoever had it in hand is gone: longer than any call may take."""

PLACES = 8
"""Deliveries to one agency that are on their way at once: one that answers nothing keeps nobody else waiting."""

HELD = timedelta(seconds=30)
"""After that, what waits for a place looks for one itself, where no answer has handed one over."""

OVERLAP = timedelta(days=1)
"""How long the secret before the newest signs as well."""


class DeliveryState(StrEnum):
    """How a delivery stands. Dead: all attempts failed. Cancelled: the webhook was disabled before it was taken."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


KEPT: Mapping[DeliveryState, timedelta] = {
    DeliveryState.DELIVERED: timedelta(days=30),
    DeliveryState.DEAD: timedelta(days=90),
    DeliveryState.CANCELLED: timedelta(days=90),
}
"""How long a delivery is kept once it has ended: to account for a month; for a quarter where it can be replayed."""

REPLAYABLE = frozenset({DeliveryState.DEAD, DeliveryState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an agency is told. Secrets are sealed; reason: why it is disabled."""

    url: str
    secret: bytes
    older_secret: bytes | None
    older_until: datetime | None
    enabled: bool
    reason: str
    set_at: datetime
    set_by: str

    def secrets(self, now: datetime) -> tuple[bytes, ...]:
        """Those that sign now, the newest first."""
        if self.older_secret is None or self.older_until is None or self.older_until <= now:
            return (self.secret,)
        return (self.secret, self.older_secret)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fact for one agency. earlier: attempts before it was replayed.

    settled: nothing more happens by itself, but that it is forgotten at `goes_at`; None while it is open.
    """

    delivery_id: str
    event_type: str
    debtor_id: str
    lender_id: str
    payload: str
    state: DeliveryState
    created_at: datetime
    attempts: int = 0
    earlier: int = 0
    last_at: datetime | None = None
    last_status: int = 0
    last_reason: str = ""
    settled: bool = False
    goes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryDue:
    """When something is to happen to a delivery; `held` where it waits for another to come to an end."""

    delivery_id: str
    due_at: datetime
    lender_id: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What is known of one agency."""

    agency_id: str
    endpoint: Endpoint | None
    deliveries: Mapping[str, Delivery]
    due: Mapping[str, DeliveryDue]


def next_at(delivery: Delivery, now: datetime, asked: timedelta) -> datetime | None:
    """When a delivery whose last attempt failed is tried again; `asked` is what its receiver wants. None: no more."""
    tries = delivery.attempts - delivery.earlier
    if tries > len(WAITS):
        return None
    wait = WAITS[tries - 1]
    spread = wait / SPREAD * _fraction(f"{delivery.delivery_id}/{delivery.attempts}")
    return now + max(wait + spread, min(asked, LONGEST_WAIT) + spread)


def _fraction(name: str) -> float:
    """A number from 0 to 1 that is the same for the same name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def kept(state: Webhooks, delivery: Delivery, due: DeliveryDue | None = None) -> Webhooks:
    """The state with a delivery as it has become, and the one thing that is to happen to it, if any."""
    rows = dict(state.due)  # copied whole: a receiver that is away has thousands of them
    rows.pop(delivery.delivery_id, None)
    if due is not None:
        rows[delivery.delivery_id] = due
    return replace(state, deliveries={**state.deliveries, delivery.delivery_id: delivery}, due=rows)


def due_of(delivery: Delivery, at: datetime, *, held: bool = False) -> DeliveryDue:
    """Future work about a delivery."""
    return DeliveryDue(delivery.delivery_id, at, delivery.lender_id, held)


def has_place(state: Webhooks) -> bool:
    """Whether one more may be on its way to the agency."""
    return [each.state for each in state.deliveries.values()].count(DeliveryState.SENDING) < PLACES


def first_held(state: Webhooks) -> Delivery | None:
    """Who has waited longest for a place."""
    held = [row for row in state.due.values() if row.held and row.delivery_id in state.deliveries]
    first = min(held, key=lambda row: (row.due_at, row.delivery_id), default=None)
    return None if first is None else state.deliveries[first.delivery_id]


def begun(state: Webhooks, delivery: Delivery, now: datetime) -> tuple[Webhooks, Delivery]:
    """A delivery on its way; if nobody has answered for it in time, it has failed."""
    delivery = replace(
        delivery,
        state=DeliveryState.SENDING,
        attempts=delivery.attempts + 1,
        last_at=now,
        settled=False,
        goes_at=None,
    )
    return kept(state, delivery, due_of(delivery, now + PATIENCE)), delivery


def ended(delivery: Delivery, state: DeliveryState, status: int, reason: str, now: datetime) -> Delivery:
    """A delivery to which nothing more happens by itself, but that its row goes in the end."""
    goes_at = now + KEPT[state]
    return replace(delivery, state=state, last_status=status, last_reason=reason, settled=True, goes_at=goes_at)


def again(delivery: Delivery) -> Delivery:
    """A delivery that is tried from the beginning; its attempts are counted on, so that no two have one number."""
    return replace(delivery, state=DeliveryState.WAITING, earlier=delivery.attempts, settled=False, goes_at=None)


def disabled(state: Webhooks, endpoint: Endpoint, reason: str, now: datetime) -> Webhooks:
    """The state once an agency is told no more: what was not taken yet is kept, to be replayed."""
    cancelled = {
        key: each if each.settled else ended(each, DeliveryState.CANCELLED, each.last_status, reason, now)
        for key, each in state.deliveries.items()
    }
    return replace(state, endpoint=replace(endpoint, enabled=False, reason=reason), deliveries=cancelled, due={})

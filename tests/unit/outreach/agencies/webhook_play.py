"""The webhooks of one agency, played by hand: facts about its placements in, calls out, and answers back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.outreach.agencies.webhooks.domain import Delivery, DeliveryDue, Webhooks
from services.outreach.agencies.webhooks.hearing import DeliveryHeard, decode
from services.outreach.agencies.webhooks.store import LAYOUT
from services.outreach.service import declare
from shared.contracts import deliveries, outreach, placements
from shared.contracts.catalogue import encode
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.placements import PlacementEnd
from shared.messaging.broker import Lane, Record
from shared.service import ActorKind
from shared.settings import Settings

SETTINGS = Settings.demo({})
KIND: ActorKind = next(kind for kind in declare(SETTINGS).actors if kind.name == "webhooks")
NAMES = {fact: name for name, fact in placements.FACTS.items()}
AGENCY, DEBTOR, LENDER = "north", "0123456789abcdef0123456789abcdef", "bank"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def ended(agency_id: str = AGENCY, placement_id: str = "p-1") -> placements.PlacementEnded:
    """A placement that was paid off."""
    return placements.PlacementEnded(
        placement_id=placement_id, agency_id=agency_id, end=PlacementEnd.PAID, reason="paid in full"
    )


def event_of(fact: Fact, number: int = 1, debtor_id: str = DEBTOR, at: datetime = NINE) -> Event[Any]:
    """A fact about a placement as outreach's lanes tell it."""
    return Event(
        id=derived_id("placement", number), type=NAMES[type(fact)], lender_id=LENDER, debtor_id=debtor_id,
        case_version=3, occurred_at=at, recorded_at=at, data=fact,
    )  # fmt: skip


def record_of(event: Event[Any], offset: int = 0, partition: int = 0) -> Record:
    """The same as it comes from the topic."""
    headers = (("type", event.type.encode()),)
    lane = Lane(outreach.TOPIC, partition)
    return Record(lane, offset, event.debtor_id.encode(), encode(event), headers, event.recorded_at)


@dataclass
class Desk:
    """One agency's webhooks; what is due is taken out of the state as the runtime does."""

    state: Webhooks = field(default_factory=lambda: LAYOUT.empty(AGENCY))
    now: datetime = NINE
    facts: int = 0

    def tell(self, payload: Any, **envelope: Any) -> list[Fact]:
        """Apply a command, an answer or a due row, with only what is named or open before the handler."""
        self.facts += 1
        event = Event(
            **{
                "id": derived_id("event", self.facts), "type": "", "lender_id": LENDER, "debtor_id": "",
                "occurred_at": self.now, "recorded_at": self.now, "data": payload, **envelope,
            }
        )  # fmt: skip
        named = {key for _, key in LAYOUT.named(event)}
        seen = {key: each for key, each in self.state.deliveries.items() if not each.settled or key in named}
        before = replace(self.state, deliveries=seen)
        handler, moment = KIND.handlers[type(payload)], Moment(self.now, date.min)
        after, told = handler(before, event, moment)
        assert handler(before, event, moment) == (after, told), "a handler must be pure"
        self.state = replace(after, deliveries={**self.state.deliveries, **after.deliveries})
        return _facts(told)

    def hear(self, fact: Fact, number: int = 1) -> str:
        """A fact about a placement; the id of its delivery."""
        event = decode(record_of(event_of(fact, number, at=self.now)))
        assert event is not None
        self.tell(event.data, id=event.id, type=event.type, debtor_id=event.debtor_id)
        return derived_id(event.id, "webhook")

    def wait(self, **time: float) -> list[Fact]:
        """Let time pass, and whatever falls due happen."""
        until, told = self.now + timedelta(**time), list[Fact]()
        while (row := self._next_due(until)) is not None:
            self.now = max(self.now, _at(row) or self.now)
            self._take_out(row)
            told += self.tell(row)
        self.now = until
        return told

    def _next_due(self, until: datetime) -> Any:
        rows: list[Any] = [*self.state.due.values(), *self.state.deliveries.values()]
        due = [(at, row.delivery_id, row) for row in rows if (at := _at(row)) is not None and at <= until]
        return min(due, key=lambda each: each[:2], default=(None, "", None))[2]

    def _take_out(self, row: Any) -> None:
        due = {key: each for key, each in self.state.due.items() if each is not row}
        kept = {key: each for key, each in self.state.deliveries.items() if each is not row}
        self.state = replace(self.state, due=due, deliveries=kept)

    def answer(self, begun: Fact, status: int, seconds: float = 0.0) -> list[Fact]:
        """What the receiver says to an attempt."""
        assert isinstance(begun, deliveries.DeliveryBegun)
        return self.tell(
            DeliveryHeard(
                agency_id=begun.agency_id, delivery_id=begun.delivery_id, attempt=begun.attempt, status=status,
                reason=f"answered {status}", seconds=seconds,
            )
        )  # fmt: skip

    def delivery(self, delivery_id: str) -> Delivery:
        """One of them."""
        return self.state.deliveries[delivery_id]


def _at(row: Any) -> datetime | None:
    """When a row is due."""
    at: datetime | None = row.due_at if isinstance(row, DeliveryDue) else row.goes_at
    return at


def _facts(told: Sequence[Told]) -> list[Fact]:
    return [each.data for each in told]

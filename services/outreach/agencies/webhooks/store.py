"""Webhooks: how those of an agency lie in tables, and the queries of the routes, each for one agency."""

from typing import Any

from sqlalchemy import text

from services.outreach.agencies.webhooks.commands import ReplayDeliveries
from services.outreach.agencies.webhooks.domain import Delivery, DeliveryDue, Endpoint, Webhooks
from services.outreach.agencies.webhooks.hearing import DeliveryHeard, Notice, delivery_of
from shared.contracts.envelope import Event
from shared.messaging.layout import Layout, Named, Table


def named(event: Event[Any]) -> Named:
    """The deliveries that an event is about, since one that is settled is not loaded otherwise."""
    match event.data:
        case Notice():
            return (("deliveries", delivery_of(event)),)
        case DeliveryHeard() | DeliveryDue() | Delivery():
            return (("deliveries", event.data.delivery_id),)
        case ReplayDeliveries():
            return [("deliveries", each) for each in event.data.delivery_ids]
        case _:
            return ()


LAYOUT = Layout(
    Webhooks,
    {
        "endpoint": Table("webhook_endpoint", Endpoint, walled=True),
        "due": Table("webhook_due", DeliveryDue, key=("delivery_id",), due="due_at"),
        "deliveries": Table(
            "webhook_delivery", Delivery, key=("delivery_id",), settled="settled", due="goes_at", walled=True
        ),
    },
    owner="agency_id",
    named=named,
)

ENDPOINT = text(
    "SELECT url, enabled, reason, set_at, set_by, older_until FROM webhook_endpoint WHERE agency_id = :agency_id"
)
DELIVERIES = text("""
    SELECT delivery_id, event_type, debtor_id, lender_id, payload, state, created_at, attempts, last_at, last_status,
           last_reason
    FROM webhook_delivery
    WHERE agency_id = :agency_id AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:before AS timestamptz) IS NULL OR (created_at, delivery_id) < (:before, :before_id))
    ORDER BY created_at DESC, delivery_id DESC LIMIT :limit
""")
DEAD_SINCE = text("""
    SELECT delivery_id FROM webhook_delivery
    WHERE agency_id = :agency_id AND state IN ('dead', 'cancelled') AND created_at >= :since
    ORDER BY created_at, delivery_id LIMIT :limit
""")
EARLIER = text("""
    SELECT body::text FROM command
    WHERE client = :client AND key = :key AND kind = 'webhooks' AND name = :name AND owner = :agency_id
""")
STANDING = "SELECT count(*) FROM webhook_delivery WHERE state = 'dead'"

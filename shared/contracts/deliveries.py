"""What outreach tells of webhooks: where an agency is told of its placements, and what became of each delivery."""

from collections.abc import Mapping
from datetime import datetime

from shared.contracts.envelope import Fact, Identifier

TOPIC = "outreach.deliveries"


class OfWebhook(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about the webhook of one agency."""

    agency_id: Identifier


class WebhookSet(OfWebhook, frozen=True, kw_only=True, gc=False):
    """The agency is told at this address from now on, under a secret of its own."""

    url: str


class WebhookSecretRotated(OfWebhook, frozen=True, kw_only=True, gc=False):
    """There is a new secret; `at_once` says that the one before signs nothing any more."""

    at_once: bool


class WebhookSwitched(OfWebhook, frozen=True, kw_only=True, gc=False):
    """The agency is told no more, or is told again, and why."""

    enabled: bool
    reason: str


class OfDelivery(OfWebhook, frozen=True, kw_only=True, gc=False):
    """A fact about one delivery, whose id is the same for every attempt."""

    delivery_id: str


class DeliveryBegun(OfDelivery, frozen=True, kw_only=True, gc=False):
    """The agency is to be called now; `secrets` are sealed, and each signs `payload`."""

    attempt: int
    url: str
    secrets: tuple[bytes, ...]
    payload: str


class DeliveryMade(OfDelivery, frozen=True, kw_only=True, gc=False):
    """The agency has taken it."""

    attempt: int
    status: int


class DeliveryFailed(OfDelivery, frozen=True, kw_only=True, gc=False):
    """The agency has not taken it; it is tried again at `next_at`, or given up where there is none."""

    attempt: int
    status: int
    reason: str
    next_at: datetime | None = None


class DeliveryReplayed(OfDelivery, frozen=True, kw_only=True, gc=False):
    """What was given up is tried again, from the beginning."""


FACTS: Mapping[str, type[Fact]] = {
    "outreach.webhook-set.v1": WebhookSet,
    "outreach.webhook-secret-rotated.v1": WebhookSecretRotated,
    "outreach.webhook-switched.v1": WebhookSwitched,
    "outreach.delivery-begun.v1": DeliveryBegun,
    "outreach.delivery-made.v1": DeliveryMade,
    "outreach.delivery-failed.v1": DeliveryFailed,
    "outreach.delivery-replayed.v1": DeliveryReplayed,
}

"""What supervisors and agencies can ask about webhooks; secrets come sealed, and are shown by nobody again."""

from typing import Annotated

import msgspec

from shared.contracts.envelope import Identifier
from shared.contracts.reasons import Reason

MOST_REPLAYED = 500
"""Deliveries that one command replays at most."""


class SetWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency is to be told at another address, under one new secret."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    secret: bytes


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new secret signs; the one before signs as well for a while, unless it is to end at once."""

    secret: bytes
    at_once: bool = False


class SwitchWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency is to be told no more, or again, and why."""

    enabled: bool
    reason: Reason


class ReplayDeliveries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deliveries that were given up or cancelled are to be tried again; `asked` is how they were chosen."""

    delivery_ids: Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=MOST_REPLAYED)]
    asked: str = ""

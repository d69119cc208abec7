"""Every topic with the types that travel on it, and the codec between bytes and typed events."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from shared.contracts import (
    agencies,
    core_banking,
    deliveries,
    ingress,
    intake,
    legal,
    outreach,
    placements,
    quarantine,
    segmentation,
)
from shared.contracts.envelope import Event, Fact

TOPICS: Mapping[str, Mapping[str, type[Fact]]] = {
    core_banking.TOPIC: core_banking.EVENTS,
    ingress.TOPIC: ingress.FACTS,
    intake.TOPIC: {**intake.FACTS, **quarantine.FACTS},
    intake.PROFILES: {**intake.PROFILE_FACTS, **quarantine.FACTS},
    segmentation.TOPIC: {**segmentation.FACTS, **quarantine.FACTS},
    segmentation.STRATEGIES: segmentation.STRATEGY_FACTS,
    outreach.TOPIC: {**outreach.FACTS, **placements.FACTS, **quarantine.FACTS},
    outreach.ALLOCATIONS: {**outreach.ALLOCATION_FACTS, **placements.ALLOTTED},
    agencies.TOPIC: agencies.FACTS,
    deliveries.TOPIC: deliveries.FACTS,
    legal.TOPIC: {**legal.FACTS, **quarantine.FACTS},
}

_TYPE_BY_NAME: Mapping[str, type[Fact]] = {name: fact for facts in TOPICS.values() for name, fact in facts.items()}
_NAME_BY_TYPE: Mapping[type[Fact], str] = {fact: name for name, fact in _TYPE_BY_NAME.items()}
_encode = msgspec.json.Encoder().encode


class _Peek(msgspec.Struct, gc=False):
    type: str


_peek = msgspec.json.Decoder(_Peek).decode


def wire_name(fact: type[Fact]) -> str:
    """The literal by which a payload's type is known on the wire; KeyError for a type no contract lists."""
    return _NAME_BY_TYPE[fact]


def fact_type(name: str) -> type[Fact] | None:
    """The payload's type for a wire name, None where this version of the contracts does not know it."""
    return _TYPE_BY_NAME.get(name)


@cache
def _decoder(name: str) -> Callable[[bytes], Event[Any]]:
    return msgspec.json.Decoder(Event[_TYPE_BY_NAME[name]]).decode  # type: ignore[valid-type]  # the type is looked up


def encode(event: Event[Any]) -> bytes:
    """An event as JSON."""
    return _encode(event)


def decode(value: bytes, name: str | None = None) -> Event[Any] | None:
    """A typed event from JSON, or None where its type is unknown here (contracts grow: later types are not errors).

    `name` is the type where the transport already told it. Raises msgspec.DecodeError, which names the field.
    """
    read = decoder_of(name if name is not None else _peek(value).type)
    return None if read is None else read(value)


def decoder_of(name: str) -> Callable[[bytes], Event[Any]] | None:
    """What reads events of one type, None where it is unknown here."""
    return _decoder(name) if name in _TYPE_BY_NAME else None

"""A span: one thing that was done, from when to when, and what caused it. It holds ids, and nothing about persons."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a span is of, by OTLP's numbers: the answer to a request, or the application of an event."""

    SERVER = 2
    CONSUMER = 5


class Span(NamedTuple):
    """One span; instants are in nanoseconds since 1970, and `parent` is "" at the root of a trace."""

    service: str
    kind: Kind
    name: str
    trace: str
    span: str
    parent: str
    began: int
    ended: int
    attributes: Mapping[str, str | int]
    failed: bool = False

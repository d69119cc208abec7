"""Which trace an event belongs to, and which span its application is: computed from ids, the same in every process.

An event's traceparent names the span in which it was told, so that the spans of five services are one tree though none
of them has seen another. Whether a trace is exported follows from its id alone: all choose the same ones.
"""

import hashlib
import re
from contextlib import suppress
from functools import cache
from typing import Any, Final

from shared.contracts.envelope import Event

TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
_OWN_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_OWN_LENGTH: Final = 32
_SPAN: Final = 2**64 - 1
_EVERY: Final = "g"
"""Above every hexadecimal digit."""


@cache
def salt_of(actor: str) -> int:
    """What tells the spans of one actor (`service/kind`) from those of others that apply the same events."""
    return _drawn(actor)


def span_of(salt: int, event_id: str) -> str:
    """The id of the span in which an actor applies an event: the same on every replay."""
    return f"{(_number(event_id) ^ salt) & _SPAN:016x}"


def _number(event_id: str) -> int:
    """The first eight bytes of an id of our own, which are as good as drawn by chance; of others they are drawn."""
    if len(event_id) == _OWN_LENGTH:
        with suppress(ValueError):
            return int(event_id[:16], 16)
    return _drawn(event_id)


def _drawn(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def onward(cause: Event[Any], span: str) -> str:
    """The traceparent of what `span` tells about its cause; a cause without one begins a trace of its own id."""
    if not cause.trace:
        return f"00-{cause.id:0>32.32}-{span}-01"
    return f"00-{cause.trace[3:35]}-{span}-{cause.trace[53:55]}"


def context_of(event: Event[Any]) -> tuple[str, str]:
    """The trace of an event, and the span in which it was told; "" where it came from nowhere, or was malformed."""
    if not event.trace:
        return (event.id if _OWN_ID.fullmatch(event.id) else ""), ""
    found = TRACEPARENT.fullmatch(event.trace)
    return (found["trace"], found["span"]) if found else ("", "")


def caller_of(traceparent: str | None) -> str:
    """The span that a caller's traceparent names, "" where there is none that is well-formed."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    return found["span"] if found else ""


def below(ratio: float) -> str:
    """The bound under which the second half of a trace's id must lie for a trace to be among `ratio` of all."""
    bound = round(ratio * 2**64)
    return f"{bound:016x}" if bound < 2**64 else _EVERY

"""W3C trace context: which trace a request belongs to, for logs and for the headers of what it sends."""

import secrets
from contextvars import ContextVar
from typing import Annotated

from fastapi import Depends

from shared.tracing.identity import TRACEPARENT

_current: ContextVar[str] = ContextVar("fairdue_trace", default="")


def begin(incoming: str | None) -> str:
    """Go on with the caller's trace, or start one where it sent none that is well-formed; returns the traceparent."""
    found = TRACEPARENT.fullmatch(incoming or "")
    trace, flags = (found["trace"], found["flags"]) if found else (secrets.token_hex(16), "01")
    traceparent = f"00-{trace}-{secrets.token_hex(8)}-{flags}"
    _current.set(traceparent)
    return traceparent


def current_trace() -> str:
    """The traceparent of the request that is being answered, "" outside of one."""
    return _current.get()


Trace = Annotated[str, Depends(current_trace)]
"""The traceparent of the request."""

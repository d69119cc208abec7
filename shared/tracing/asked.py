"""The spans of REST requests: route templates and statuses, and nothing that a caller has sent."""

import time
from typing import NamedTuple

from shared.tracing.exporting import Exporter
from shared.tracing.identity import caller_of
from shared.tracing.spans import Kind, Span

_OURS = 500
"""The first status that is a fault of our own."""


class Asked(NamedTuple):
    """A request that was answered."""

    service: str
    method: str
    route: str
    status: int


def put_request(exporter: Exporter, asked: Asked, trace: str, incoming: str | None, seconds: float) -> None:
    """Have the span of a request sent where its trace is taken.

    trace: the traceparent under which it was answered. incoming: the caller's, under whose span it then is.
    """
    trace_id, span = trace[3:35], trace[36:52]
    if not exporter.takes(trace_id):
        return
    ended = time.time_ns()
    attributes: dict[str, str | int] = {
        "http.request.method": asked.method,
        "http.route": asked.route,
        "http.response.status_code": asked.status,
    }
    name, began = f"{asked.method} {asked.route}", ended - int(seconds * 1e9)
    failed = asked.status >= _OURS
    exporter.put(
        Span(asked.service, Kind.SERVER, name, trace_id, span, caller_of(incoming), began, ended, attributes, failed)
    )

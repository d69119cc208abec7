"""Spans as the body of an OTLP export request in JSON, which every collector takes beside protobuf."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from shared.tracing.spans import Span

_SCOPE: Final = {"name": "fairdue"}
_ERROR: Final = 2
_encode = msgspec.json.Encoder().encode


def request_of(spans: Iterable[Span]) -> bytes:
    """The body of one request: the spans of each service under a resource of its own."""
    by_service: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_service[span.service].append(span)
    return _encode({"resourceSpans": [_resource(service, each) for service, each in by_service.items()]})


def _resource(service: str, spans: Iterable[Span]) -> dict[str, Any]:
    return {
        "resource": {"attributes": _attributes({"service.name": f"fairdue-{service}"})},
        "scopeSpans": [{"scope": _SCOPE, "spans": [_span(each) for each in spans]}],
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace,
        "spanId": span.span,
        "parentSpanId": span.parent,
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR} if span.failed else {},
    }


def _attributes(named: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """Numbers of 64 bits are text in JSON."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in named.items()
    ]

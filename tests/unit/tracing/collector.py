"""A collector of traces in memory, and what it has understood."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import msgspec

from shared.tracing.spans import Kind, Span


class Seen(NamedTuple):
    """A span as a collector reads it."""

    service: str
    kind: int
    name: str
    trace: str
    span: str
    parent: str
    seconds: float
    attributes: dict[str, str | int]
    status: int


def read(body: bytes) -> list[Seen]:
    """The spans of a request: the form that OTLP has in JSON, and an error at anything else."""
    found = []
    for resource in msgspec.json.decode(body)["resourceSpans"]:
        service = _attributes(resource["resource"]["attributes"])["service.name"]
        for scope in resource["scopeSpans"]:
            found += [_seen(str(service), span) for span in scope["spans"]]
    return found


def _seen(service: str, span: dict[str, Any]) -> Seen:
    assert (len(bytes.fromhex(span["traceId"])), len(bytes.fromhex(span["spanId"]))) == (16, 8)
    assert len(bytes.fromhex(span["parentSpanId"])) in {0, 8}
    seconds = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9
    return Seen(
        service, span["kind"], span["name"], span["traceId"], span["spanId"], span["parentSpanId"], seconds,
        _attributes(span["attributes"]), span["status"].get("code", 0),
    )  # fmt: skip


def _attributes(listed: list[dict[str, Any]]) -> dict[str, str | int]:
    return {each["key"]: _value(each["value"]) for each in listed}


def _value(value: dict[str, str]) -> str | int:
    ((kind, text),) = value.items()
    assert isinstance(text, str)
    return int(text) if kind == "intValue" else {"stringValue": text}[kind]


@dataclass
class Collector(httpx.AsyncBaseTransport):
    """Answers with the statuses that it is told, then 200; "hangs" never answers, an exception is raised."""

    answers: list[int | str | Exception] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hangs":
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if answer == 200:
            self.seen += read(await request.aread())
        assert isinstance(answer, int)
        return httpx.Response(answer)


def spans(count: int, service: str = "intake") -> Sequence[Span]:
    """Made-up spans."""
    return [
        Span(service, Kind.CONSUMER, "t", f"{n:032x}", f"{n + 1:016x}", "", 1, 2_000_000_001, {"a": "b", "n": n})
        for n in range(count)
    ]

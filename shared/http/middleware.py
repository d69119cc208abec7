"""What happens to every request before and after its route, as plain ASGI: nothing here can cancel a query."""

import asyncio
import time
import traceback
import uuid
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from shared import logs
from shared.http import tracing
from shared.http.problems import Problem, response_of
from shared.observability import metrics
from shared.tracing.asked import Asked, put_request
from shared.tracing.exporting import Exporter

MAX_BODY = 1_048_576
"""Bytes; ample for a batch of bank events, little for a process."""

DRAINED, DRAIN_SECONDS = 16, 5.0
"""How much of a body that is too large is read and dropped: this many times the limit, for so long."""

FRAMES = 12
"""How many of the innermost places of an unexpected error are logged."""

TRACED = "/v1/"
"""Routes whose requests have spans: those of the services, and not what looks whether we live."""

log = logs.get("http")


class Observed:
    """Outermost: gives each request an id and a trace, logs and counts its end, and answers what nobody expected.

    Only route templates are logged and counted, never paths or query strings, which may hold anything.
    """

    def __init__(self, app: ASGIApp, *, service: str, exporter: Exporter | None = None) -> None:
        self.app, self.service, self.exporter = app, service, exporter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and account for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, request_id = time.monotonic(), str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        incoming = Headers(scope=scope).get("traceparent")
        trace = tracing.begin(incoming)
        answer = _Answer(send, request_id)
        with bound_contextvars(service=self.service, request_id=request_id, trace=trace):
            try:
                await self.app(scope, receive, answer)
            except Exception as error:  # noqa: BLE001  # the last place where anything can be answered
                await answer.fail(scope, receive, error)
            finally:
                seconds = time.monotonic() - started
                self._account(scope, answer.status, seconds)
                if self.exporter is not None and route_of(scope).startswith(TRACED):
                    asked = Asked(self.service, _method(scope), route_of(scope), answer.status)
                    put_request(self.exporter, asked, trace, incoming, seconds)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = _method(scope), route_of(scope)
        metrics.HTTP_REQUESTS.labels(self.service, method, route, str(status)).inc()
        metrics.HTTP_REQUEST_SECONDS.labels(self.service, method, route).observe(seconds)
        log.info("request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))


class _Answer:
    """The way back to the caller; knows whether an answer has begun, and adds what every answer carries."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def fail(self, scope: Scope, receive: Receive, error: Exception) -> None:
        """Answer 500 without a trace, which goes to the log; an answer that has begun can only be broken off."""
        log.error("request failed", route=route_of(scope), error=_kinds(error), places=_places(error))
        if self.status:
            raise error
        problem = Problem(500, "Internal error", "The error is in the log under this request's id.")
        await response_of(problem, self._request_id)(scope, receive, self)


def _kinds(error: BaseException) -> list[str]:
    """The types of an error and its causes; their texts may quote what a caller sent."""
    cause = error.__cause__
    return [type(error).__name__, *(_kinds(cause) if cause is not None else ())]


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


class Limited:
    """Refuses bodies above a limit before anything parses them, and NUL characters, which no store can hold."""

    def __init__(self, app: ASGIApp, *, max_body: int = MAX_BODY) -> None:
        self.app, self.max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, then pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            problem = Problem(400, "Malformed address", "The address holds a NUL character.")
            await self._refuse(problem, scope, receive, send)
            return
        body = await self._body(scope, receive)
        if body is None:
            limit = f"A body may have {self.max_body} bytes."
            problem = Problem(413, "Body too large", limit, field="body", headers={"Connection": "close"})
            await self._refuse(problem, scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> list[Message] | None:
        announced = Headers(scope=scope).get("content-length", "0")
        length = int(announced[:20]) if announced.isdecimal() else 0
        if length > self.max_body:
            if length <= self.max_body * DRAINED:
                await self._drain(receive)
            return None
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
            if size > self.max_body:
                if more:
                    await self._drain(receive)
                return None
        return messages

    async def _drain(self, receive: Receive) -> None:
        """Read on for a while and keep nothing: a caller that is cut off while it sends never sees the answer."""
        size, more = 0, True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while more and size <= self.max_body * DRAINED:
                    message = await receive()
                    size += len(message.get("body", b""))
                    more = message["type"] == "http.request" and message.get("more_body", False)

    @staticmethod
    async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        await response_of(problem, scope["state"]["request_id"])(scope, receive, send)


def _replay(messages: list[Message], receive: Receive) -> Receive:
    kept = iter(messages)

    async def next_message() -> Message:
        message = next(kept, None)
        return message if message is not None else await receive()

    return next_message


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answered, e.g. /v1/cases/{debtor_id}; "none" where no route did."""
    return str(getattr(scope.get("route"), "path", "none"))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: MutableMapping[str, Any]) -> str:
    """The method, or "other": a caller may invent any, and each would be a new time series."""
    return scope["method"] if scope["method"] in _METHODS else "other"

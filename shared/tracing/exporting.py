"""Sends spans to a collector, beside the work: what does not go through in time is lost and counted, and nothing waits.

The queue is bounded, a request has a deadline, and no request is repeated: traces are for looking, not for the books.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Final

import httpx
import structlog

from shared.observability import metrics
from shared.tracing.identity import below
from shared.tracing.otlp import request_of
from shared.tracing.spans import Span

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 4096
"""Spans that wait to be sent; what comes while so many do is lost."""

AT_ONCE: Final = 512
EVERY: Final = 1.0
PATIENCE: Final = 2.0
"""Seconds within which the collector has to take what waits."""

PATH: Final = "/v1/traces"


@dataclass(slots=True)
class Exporter:
    """Takes the spans of one process, and sends those that have come every second.

    endpoint: the collector's address, to which the path of OTLP is added. ratio: which part of all traces is taken.
    """

    endpoint: str
    ratio: float
    patience: float = PATIENCE
    every: float = EVERY
    transport: httpx.AsyncBaseTransport | None = None
    bound: str = field(init=False)
    _waiting: deque[Span] = field(default_factory=deque)
    _away: bool = False

    def __post_init__(self) -> None:
        """Send nothing yet."""
        self.bound = below(self.ratio)

    def takes(self, trace: str) -> bool:
        """Whether a trace is among those that are exported, in every process alike."""
        return trace[16:] < self.bound

    def put(self, span: Span) -> None:
        """Have a span sent; never waits."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(span)
        else:
            _count([span], "lost")

    async def keep(self, stopping: asyncio.Event) -> None:
        """Send until stopped, then what is left, unless the collector is away."""
        async with httpx.AsyncClient(timeout=self.patience, transport=self.transport) as client:
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), self.every)
                await self._send_what_waits(client)
            if not self._away:
                await self._send_what_waits(client)
        _count(self._waiting, "lost")

    async def _send_what_waits(self, client: httpx.AsyncClient) -> None:
        """One batch after the other within the deadline; what comes meanwhile waits for the next time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                for _ in range(-(-len(self._waiting) // AT_ONCE)):
                    await self._send(client, [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))])

    async def _send(self, client: httpx.AsyncClient, spans: Collection[Span]) -> None:
        outcome, reason = "lost", "it does not answer in time"
        try:
            answer = await client.post(
                self.endpoint + PATH, content=request_of(spans), headers={"content-type": "application/json"}
            )
            outcome, reason = ("sent", "") if answer.is_success else ("lost", f"it answers {answer.status_code}")
        except Exception as error:  # noqa: BLE001  # whatever it is: a trace is never worth a worker
            reason = type(error).__name__
        finally:
            _count(spans, outcome)
            self._say(reason)

    def _say(self, reason: str) -> None:
        """Say once that the collector is away, and once that it is back."""
        if reason and not self._away:
            log.warning("traces_are_lost", reason=reason)
        elif self._away and not reason:
            log.info("traces_are_sent_again")
        self._away = bool(reason)


@contextlib.asynccontextmanager
async def exporting(exporter: Exporter | None) -> AsyncIterator[None]:
    """Have an exporter, if there is one, send for as long as this lasts, and what came until its end."""
    if exporter is None:
        yield
        return
    ended = asyncio.Event()
    sending = asyncio.create_task(exporter.keep(ended))
    try:
        yield
    finally:
        ended.set()
        await sending


def _count(spans: Collection[Span], outcome: str) -> None:
    for service, many in Counter(span.service for span in spans).items():
        metrics.TRACE_SPANS.labels(service, outcome).inc(many)

"""The spans of what a worker has applied."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from shared.contracts.envelope import Event
from shared.messaging.inputs import DUE_TOPIC, Input
from shared.tracing.exporting import Exporter
from shared.tracing.identity import context_of, salt_of, span_of
from shared.tracing.spans import Kind, Span

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class AppliedSpans:
    """Makes the spans of one kind of actor of one service."""

    exporter: Exporter
    service: str
    kind: str
    _salt: int = field(init=False)

    def __post_init__(self) -> None:
        """Name the actor as `Telling` does."""
        self._salt = salt_of(f"{self.service}/{self.kind}")

    def applied(self, inputs: Iterable[Input], now: datetime, seconds: float) -> None:
        """Have a span of each input of a committed turn sent whose trace is taken; each lasts as long as the turn."""
        ended = nanoseconds(now)
        began = ended - int(seconds * 1e9)
        for each in inputs:
            event = each.event
            if event is not None:
                trace, parent = context_of(event)
                if trace and self.exporter.takes(trace):
                    self.exporter.put(self._span(each, event, trace, parent, began, ended))

    def _span(self, item: Input, event: Event[Any], trace: str, parent: str, began: int, ended: int) -> Span:
        attributes: dict[str, str | int] = {
            "fairdue.event_id": event.id,
            "fairdue.lender": event.lender_id,
            "fairdue.actor": self.kind,
            "fairdue.lane": _lane(item),
            "fairdue.shard": item.number,
            "fairdue.case_version": event.case_version,
        }
        span = span_of(self._salt, event.id)
        return Span(self.service, Kind.CONSUMER, event.type, trace, span, parent, began, ended, attributes)


def nanoseconds(instant: datetime) -> int:
    """Nanoseconds since 1970, exact to the microsecond."""
    since = instant - _START
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _lane(item: Input) -> str:
    """Where it came from: a partition, due work, a command, or the answer to an errand."""
    if item.record is not None:
        return f"{item.record.lane.topic}/{item.record.lane.partition}"
    return DUE_TOPIC if item.due else "command" if item.command else "answer"

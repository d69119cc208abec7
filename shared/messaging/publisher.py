"""Publishes after commit, from memory, in order; what is not acknowledged is sent again, never skipped."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable

from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Writer
from shared.messaging.frames import records_of
from shared.messaging.store import StoredFacts

AT_ONCE = 10_000
"""About how many facts go into one append; more would only delay the first acknowledgement."""


class Publisher:
    """The one writer of a worker.

    Facts are taken off only when the broker has acknowledged them. After any error the writer is replaced, and all that
    is unacknowledged is sent again in order: consumers drop what they already have by its number.
    """

    def __init__(self, broker: Broker, source: str) -> None:
        """Publish for the actors named `source`/number."""
        self._broker, self._source = broker, source
        self._writer: Writer | None = None
        self._turn = asyncio.Lock()
        self._pending: deque[StoredFacts] = deque()
        self._notices: list[tuple[Lane, Outgoing]] = []
        self.acknowledged: dict[tuple[int, Lane], tuple[int, int]] = {}
        self.appended: Counter[str] = Counter()
        """How many records it has put on each topic."""

    @property
    def pending(self) -> int:
        """How many facts await their acknowledgement."""
        return sum(facts.seq_to - facts.seq_from + 1 for facts in self._pending)

    def submit(self, facts: Iterable[StoredFacts]) -> None:
        """Queue committed facts behind what is already queued."""
        self._pending.extend(facts)

    def notice(self, lane: Lane, record: Outgoing) -> None:
        """Queue a record without a number: it goes once, behind the facts that are queued now, or not at all."""
        self._notices.append((lane, record))

    def drop(self, numbers: Iterable[int]) -> None:
        """Leave the facts of lost actors to their successor."""
        lost = set(numbers)
        self._pending = deque(facts for facts in self._pending if facts.number not in lost)
        self.acknowledged = {place: seq for place, seq in self.acknowledged.items() if place[0] not in lost}

    async def flush(self) -> None:
        """Send until nothing is queued. Raises BrokerUnavailableError; then everything unacknowledged stays queued."""
        async with self._turn:
            while self._pending or self._notices:
                await self._send()

    async def _send(self) -> None:
        taken, count = self._next()
        batches: dict[Lane, list[Outgoing]] = {}
        for facts in taken:
            batches.setdefault(facts.lane, []).extend(records_of(f"{self._source}/{facts.number}", facts))
        notices = list(self._notices) if count == len(self._pending) else []
        for lane, record in notices:
            batches.setdefault(lane, []).append(record)
        await self._append(batches)
        del self._notices[: len(notices)]
        for facts in taken:
            self._acknowledge(facts)

    def _next(self) -> tuple[list[StoredFacts], int]:
        taken: list[StoredFacts] = []
        total = 0
        for facts in self._pending:
            taken.append(facts)
            total += facts.seq_to - facts.seq_from + 1
            if total >= AT_ONCE:
                break
        return taken, len(taken)

    async def _append(self, batches: dict[Lane, list[Outgoing]]) -> None:
        try:
            if self._writer is None:
                self._writer = await self._broker.writer()
            await self._writer.append(batches)
        except BrokerUnavailableError:
            await self.close()
            raise
        for lane, records in batches.items():
            self.appended[lane.topic] += len(records)

    def _acknowledge(self, facts: StoredFacts) -> None:
        if self._pending and self._pending[0] is facts:
            self._pending.popleft()
        place = (facts.number, facts.lane)
        reached = (facts.incarnation, facts.seq_to)
        self.acknowledged[place] = max(self.acknowledged.get(place, reached), reached)

    async def close(self) -> None:
        """Close the writer; what is queued stays queued."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

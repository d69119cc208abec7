"""Turns what a turn did into the metrics of one kind of actor of one service."""

from dataclasses import dataclass
from datetime import datetime

from shared.messaging.turn import Turned
from shared.observability import metrics

_FROM_THE_START = (
    *(metrics.FENCED_WRITERS, metrics.PUBLISH_FAILURES, metrics.REEMISSIONS, metrics.TAKEOVERS),
    *(metrics.EVENTS_APPLIED, metrics.FACTS_TOLD, metrics.DUPLICATES_DROPPED, metrics.DEAD_LETTERS),
    *(metrics.GAPS_OPENED, metrics.GAPS_REPAIRED),
)


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts for one worker."""

    service: str
    kind: str

    def turned(self, turned: Turned, seconds: float) -> None:
        """Count a committed turn."""
        labels = (self.service, self.kind)
        counts = turned.counts
        metrics.EVENTS_APPLIED.labels(*labels).inc(counts["applied"])
        metrics.DUPLICATES_DROPPED.labels(*labels).inc(counts["duplicate"])
        metrics.DEAD_LETTERS.labels(*labels).inc(counts["buried"])
        metrics.FACTS_TOLD.labels(*labels).inc(sum(f.seq_to - f.seq_from + 1 for f in turned.facts))
        metrics.BATCH_EVENTS.labels(*labels).observe(counts["applied"])
        metrics.BATCH_SECONDS.labels(*labels).observe(seconds)

    def late(self, oldest: datetime | None, due_since: datetime | None, now: datetime) -> None:
        """Show how old the oldest record of a committed turn was, and how long the oldest due work had been due."""
        for since, metric in ((oldest, metrics.INPUT_AGE), (due_since, metrics.DUE_DELAY)):
            if since is not None:
                metric.labels(self.service, self.kind).observe(max((now - since).total_seconds(), 0))

    def behind(self, records: int) -> None:
        """Show how many records the actors held have yet to read."""
        metrics.LAG.labels(self.service, self.kind).set(records)

    def gaps(self, opened: int, repaired: int) -> None:
        """Count gaps that a turn has opened and closed."""
        metrics.GAPS_OPENED.labels(self.service, self.kind).inc(opened)
        metrics.GAPS_REPAIRED.labels(self.service, self.kind).inc(repaired)

    def unrepaired(self, gaps: int) -> None:
        """Show how many gaps have stayed open for too long."""
        metrics.LANE_GAPS_UNREPAIRED.labels(self.service, self.kind).set(gaps)

    def fenced(self, actors: int) -> None:
        """Count a transaction given up because a successor stands at a higher epoch."""
        metrics.FENCED_WRITERS.labels(self.service, self.kind).inc(actors)

    def taken(self, actors: int) -> None:
        """Count actors taken."""
        metrics.TAKEOVERS.labels(self.service, self.kind).inc(actors)

    def reemitted(self) -> None:
        """Count a request to tell again that was answered."""
        metrics.REEMISSIONS.labels(self.service, self.kind).inc()

    def publish_failed(self) -> None:
        """Count a writer that had to be replaced."""
        metrics.PUBLISH_FAILURES.labels(self.service, self.kind).inc()

    def begin(self) -> None:
        """Show every counter from the start, at nought: a series that first appears with a fault hides its rise."""
        labels = (self.service, self.kind)
        for counter in _FROM_THE_START:
            counter.labels(*labels).inc(0)
        for histogram in (metrics.INPUT_AGE, metrics.DUE_DELAY):
            histogram.labels(*labels)
        self.unrepaired(0)
        self.waiting(0, 0)

    def waiting(self, quarantined: int, parked: int) -> None:
        """Show what waits for people at the actors held."""
        metrics.QUARANTINED_DEBTORS.labels(self.service, self.kind).set(quarantined)
        metrics.PARKED_EVENTS.labels(self.service, self.kind).set(parked)

    def standing(self, owned: int, stopped: int, unacknowledged: int) -> None:
        """Show what is held."""
        metrics.OWNED_SHARDS.labels(self.service, self.kind).set(owned)
        metrics.STOPPED_SHARDS.labels(self.service, self.kind).set(stopped)
        metrics.UNACKNOWLEDGED_FACTS.labels(self.service, self.kind).set(unacknowledged)

    def watermark_age(self, seconds: float) -> None:
        """Show how fresh the stalest owned lane is."""
        metrics.LANE_WATERMARK_AGE.labels(self.service, self.kind).set(seconds)

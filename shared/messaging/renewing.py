"""How an actor begins a new incarnation, once its database has gone back in time.

What it told may be ahead of what it remembers, so its numbers would be taken for old ones: it counts from 1 again,
under an incarnation that none has had. Each lane first hears how far the actor remembers to have told there, since a
consumer that misses something of that must have it before it goes over to the new numbers.
"""

from datetime import UTC, datetime

from shared.messaging.control import began_fact
from shared.messaging.frames import chained, frame
from shared.messaging.store import Effects, Mark, Operation, Out, OutMove, Source, Standing, StoredFacts

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""From when the seconds are counted that name incarnations."""


def incarnation_after(former: int, now: datetime) -> int:
    """The clock's: two databases restored from one backup would count up to the same number."""
    return max(former + 1, int((now - EPOCH).total_seconds()))


def renewal(source: Source, standing: Standing, by: str, now: datetime) -> Effects:
    """What is written when an actor begins a new incarnation."""
    incarnation = incarnation_after(standing.incarnation, now)
    effects = Effects(renewed={standing.number: incarnation})
    for lane, out in standing.outs.items():
        if out.seq:
            body = frame([began_fact(Mark(standing.incarnation, out.seq))])
            effects.facts.append(StoredFacts(standing.number, lane, incarnation, 1, 1, body))
            effects.outs[standing.number, lane] = OutMove(out.head, Out(1, 0, chained(out.head, source, lane, 1, body)))
    reason = "the database went back in time"
    effects.operations.append(Operation(standing.number, now, by, "renewed", reason))
    return effects

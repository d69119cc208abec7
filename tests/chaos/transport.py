"""Invariants 1 to 12: what is told arrives once, in order, whatever died, froze or was lost on the way."""

from typing import Any

from shared.messaging.broker import Lane
from tests.chaos.acceptance import accounted_for, applied_or_buried, nothing_invented
from tests.chaos.evidence import Check, Evidence, Finding, Invariant
from tests.e2e.invariants import OF_EVERY_SERVICE, unheard

_OUTS = "SELECT kind, number, topic, partition, out_seq, acked_seq FROM lane_out"
_MARKS = "SELECT kind, number, topic, partition, source, last_seq FROM source_mark"

_BEYOND_ACKED = """
SELECT l.kind, l.number, l.topic, l.partition, l.acked_seq, l.out_seq,
    (SELECT coalesce(sum(o.seq_to - greatest(o.seq_from, l.acked_seq + 1) + 1), 0) FROM outbox o
     WHERE (o.kind, o.number, o.topic, o.partition) = (l.kind, l.number, l.topic, l.partition)
        AND o.seq_to > l.acked_seq)::bigint AS kept
FROM lane_out l WHERE l.acked_seq < l.out_seq
"""
_KEPT = """
SELECT kind, number, topic, partition, out_seq, coalesce(sum(seq_to - seq_from + 1), 0)::bigint,
    coalesce(max(seq_to), 0)
FROM lane_out LEFT JOIN outbox USING (kind, number, topic, partition) GROUP BY 1, 2, 3, 4, 5
"""


def witnessed(number: int) -> Check:
    """What the triggers in the databases have seen of one invariant."""

    async def check(evidence: Evidence) -> Finding:
        counters = await evidence.everywhere(f"SELECT last_value, is_called FROM witness.checked_{number}")
        checked = sum(value for _, value, called in counters if called)
        wrong = await evidence.everywhere(f"SELECT detail, at::text FROM witness.violation WHERE invariant = {number}")
        return Finding(checked, wrong)

    return check


async def sampled(evidence: Evidence) -> None:
    """Look at every database once, while everything is going on, and note what is found."""
    marks = await evidence.everywhere(_MARKS)
    outs = await evidence.everywhere(_OUTS)
    told = {(f"{service}/{kind}/{number}", topic, lane): out for service, kind, number, topic, lane, out, _ in outs}
    evidence.note(8, len(outs), [row for row in outs if row[-1] > row[-2]])
    ahead = [row for row in marks if row[-1] > told.get((row[-2], row[3], row[4]), 0)]
    evidence.note(10, len(marks), ahead)
    beyond = await evidence.everywhere(_BEYOND_ACKED)
    evidence.note(9, len(beyond), [row for row in beyond if row[-1] != row[-2] - row[-3]])


async def every_record_counts_once(evidence: Evidence) -> Finding:
    """What consumers have accepted of a lane is what lies on it, each number once; and what was told lies on it."""
    on_topics = evidence.topics.told()
    outs = await evidence.everywhere(_OUTS)
    wrong: list[Any] = []
    for service, kind, number, topic, partition, out, _ in outs:
        there = on_topics.get((f"{service}/{kind}/{number}", Lane(topic, partition)), 0)
        wrong += [(service, kind, number, topic, partition, out, there)] if there != out else []
    marks = await evidence.everywhere(_MARKS)
    for service, kind, _, topic, partition, source, seq in marks:
        there = on_topics.get((source, Lane(topic, partition)), 0)
        wrong += [(service, kind, topic, partition, source, seq, there)] if there != seq else []
    return Finding(len(outs) + len(marks), wrong)


async def public_lanes_are_read(evidence: Evidence) -> Finding:
    """The cursor of each partition of the bank's topic stands at its end."""
    cursors = await evidence.rows(
        "intake", "SELECT topic, partition, next_offset FROM cursor_in WHERE kind = 'ingress'"
    )
    lanes = [Lane(topic, partition) for topic, partition, _ in cursors if not topic.endswith(".control")]
    ends = await evidence.topics.log.end_offsets(lanes)
    at = {Lane(topic, partition): offset for topic, partition, offset in cursors}
    return Finding(sum(ends.values()), [(lane, at[lane], end) for lane, end in ends.items() if at[lane] < end])


async def first_occurrences_are_dense(evidence: Evidence) -> Finding:
    """No number of a source comes before the one below it."""
    return Finding(evidence.topics.numbered, [*evidence.topics.holes, *evidence.topics.lost])


async def no_two_payloads(evidence: Evidence) -> Finding:
    """Every copy of a number has the same bytes."""
    return Finding(evidence.topics.duplicates, evidence.topics.conflicts)


async def acknowledged_lies_on_the_topic(evidence: Evidence) -> Finding:
    """What is acknowledged is told, and lies on the topic."""
    on_topics = evidence.topics.told()
    outs = await evidence.everywhere(_OUTS)
    wrong = [
        row
        for row in outs
        if not row[-1] <= min(row[-2], on_topics.get((f"{row[0]}/{row[1]}/{row[2]}", Lane(row[3], row[4])), 0))
    ]
    return Finding(len(outs), wrong)


async def outbox_is_whole(evidence: Evidence) -> Finding:
    """The outbox, whose retention is longer than a run, has every number once."""
    lanes = await evidence.everywhere(_KEPT)
    links = await evidence.everywhere(OF_EVERY_SERVICE["facts of a lane are numbered without a hole"])
    heads = await evidence.everywhere(OF_EVERY_SERVICE["a lane's counter and head are those of its last link"])
    return Finding(len(lanes), [*(row for row in lanes if not row[-3] == row[-2] == row[-1]), *links, *heads])


async def consumers_have_heard_all(evidence: Evidence) -> Finding:
    """Every consumer's mark is its source's counter."""
    marks = await evidence.everywhere(_MARKS)
    return Finding(len(marks), await unheard(evidence.installation.owners))


INVARIANTS = (
    Invariant(1, "every accepted event is applied or buried", (applied_or_buried, nothing_invented, accounted_for)),
    Invariant(
        2, "what is accepted of a lane is all that lies on it", (every_record_counts_once, public_lanes_are_read)
    ),
    Invariant(3, "first occurrences are dense per source and lane", (first_occurrences_are_dense,)),
    Invariant(4, "no number has two payloads", (no_two_payloads,)),
    Invariant(5, "cursors and marks never go back", (witnessed(5),)),
    Invariant(6, "an actor's epoch rises with every holder", (witnessed(6),)),
    Invariant(7, "only the backend of the standing epoch commits", (witnessed(7),)),
    Invariant(8, "acknowledged is told, and lies on the topic", (witnessed(8), acknowledged_lies_on_the_topic)),
    Invariant(9, "the outbox has no hole", (outbox_is_whole,)),
    Invariant(10, "no consumer is ahead of its source", (consumers_have_heard_all,)),
    Invariant(11, "telling again changes nothing", ()),
    Invariant(12, "a restart tells nothing", ()),
)

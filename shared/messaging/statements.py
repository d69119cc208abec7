"""The SQL of the runtime's own tables, each statement over arrays of all the actors of a worker."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from shared.contracts import catalogue
from shared.contracts.envelope import Fact
from shared.messaging.arrays import Rows, by_column
from shared.messaging.packing import packed
from shared.messaging.store import Effects

JOINED = "string_to_array($1, $2)"
"""The names that `joined` has joined, as an array."""

_SEPARATOR = "\x1f"


def joined(names: Collection[str]) -> tuple[str, str]:
    """Names as one text, and what stands between them: the driver takes a text as it is, and looks at each of an array.

    None of the names may be empty.
    """
    text = _SEPARATOR.join(names)
    if text.count(_SEPARATOR) == len(names) - 1:
        return text, _SEPARATOR
    between = f"{_SEPARATOR}{uuid4()}{_SEPARATOR}"
    return between.join(names), between


# Another value than the actor's says that the server was promoted, or the database restored from a backup or a dump,
# since the actor last ran: what it told may be ahead of what it remembers.
_TIMELINE = """(
    SELECT system_identifier # (oid::bigint << 32) # timeline_id
    FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()
)"""
# The owner's backend is kept so that a successor can end a zombie. An actor that is not known may have told before, in
# a database that is gone: so its first incarnation is named by the clock, as every later one is.
ACQUIRE = f"""
INSERT INTO actor AS a (kind, number, epoch, owner, backend_pid, timeline, incarnation)
VALUES ($1, $2, 1, $3, pg_backend_pid(), {_TIMELINE}, extract(epoch FROM now() - timestamptz '2026-01-01 00:00Z')::int)
ON CONFLICT (kind, number) DO UPDATE
SET epoch = a.epoch + 1, owner = excluded.owner, backend_pid = excluded.backend_pid
RETURNING epoch, incarnation, stopped_reason, timeline IS DISTINCT FROM {_TIMELINE} AS restored
"""
END_ZOMBIE = "SELECT pg_terminate_backend(backend_pid, 5000) FROM actor WHERE kind = $1 AND number = $2"
CURSORS = "SELECT topic, partition, next_offset FROM cursor_in WHERE kind = $1 AND number = $2"
MARKS = "SELECT topic, partition, source, incarnation, last_seq FROM source_mark WHERE kind = $1 AND number = $2"
GAPS = "SELECT topic, partition, source, incarnation, from_seq, seen_seq FROM gap WHERE kind = $1 AND number = $2"
OUTS = "SELECT topic, partition, out_seq, acked_seq, head FROM lane_out WHERE kind = $1 AND number = $2"
CLOCKS = "SELECT lender_id, business_date FROM lane_clock WHERE kind = $1 AND number = $2"
DIRECTIVES = "SELECT name, type, data::text FROM directive WHERE kind = $1 AND number = $2"
UNACKNOWLEDGED = """
SELECT o.number, o.topic, o.partition, o.incarnation, o.seq_from, o.seq_to, o.body
FROM actor a
JOIN lane_out l USING (kind, number)
JOIN outbox o ON (o.kind, o.number, o.topic, o.partition) = (l.kind, l.number, l.topic, l.partition)
    AND o.seq_to > l.acked_seq AND o.incarnation = a.incarnation
WHERE a.kind = $1 AND a.number = $2
ORDER BY o.topic, o.partition, o.seq_from
"""
TOLD_SINCE = """
SELECT number, topic, partition, incarnation, seq_from, seq_to, body
FROM outbox
WHERE kind = $1 AND number = $2 AND topic = $3 AND partition = $4 AND (incarnation, seq_to) >= ($5, $6)
ORDER BY incarnation, seq_from
"""
WENT_BACK = f"""
EXISTS (SELECT FROM actor WHERE kind = $1 AND number = ANY ($2::int[]) AND timeline IS DISTINCT FROM {_TIMELINE})
"""
RELEASE = """
UPDATE actor SET owner = NULL, backend_pid = NULL
WHERE kind = $1 AND (number, epoch) IN (SELECT * FROM unnest($2::int[], $3::bigint[]))
"""
FENCE = """
SELECT number FROM actor
WHERE kind = $1 AND (number, epoch) IN (SELECT * FROM unnest($2::int[], $3::bigint[]))
ORDER BY number FOR NO KEY UPDATE
"""
NEW_CURSORS = """
INSERT INTO cursor_in (kind, number, topic, partition, next_offset)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::bigint[])
ON CONFLICT DO NOTHING
"""
MOVE_CURSORS = """
UPDATE cursor_in c SET next_offset = v.new
FROM unnest($2::int[], $3::text[], $4::int[], $5::bigint[], $6::bigint[]) AS v (number, topic, partition, new, old)
WHERE c.kind = $1 AND (c.number, c.topic, c.partition) = (v.number, v.topic, v.partition) AND c.next_offset = v.old
"""
PENDING_COMMANDS = """
SELECT id, number, name, owner, lender_id, actor, body, created_at
FROM command WHERE kind = $1 AND number = ANY ($2::int[]) AND status = 'pending'
ORDER BY created_at, id LIMIT $3
"""
NEW_SHARED_OWNERS = "INSERT INTO shared_owner SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
LOCK_SHARED_OWNERS = "SELECT FROM shared_owner WHERE owner = ANY ($1::text[]) ORDER BY owner FOR UPDATE"
QUARANTINES = f"SELECT owner, letter_id FROM quarantine WHERE owner = ANY ({JOINED}) AND kind = $3"
PARKED = """
SELECT ordinal, number, owner, topic, partition, log_offset, raw
FROM parked WHERE kind = $1 AND owner = ANY ($2::text[]) ORDER BY owner, ordinal
"""
OPEN_LETTERS = "SELECT * FROM dead_letter WHERE kind = $1 AND id = ANY ($2::text[]) AND status = 'open'"
COUNT_LETTERS = """
SELECT number, count(*)::int FROM dead_letter d
WHERE kind = $1 AND number = ANY ($2::int[]) AND buried_at > $3 AND topic <> 'due'
    AND NOT EXISTS (
        SELECT FROM operation_log o
        WHERE o.kind = d.kind AND o.number = d.number AND o.operation = 'resumed' AND o.at >= d.buried_at)
GROUP BY number
"""
HISTORY_COLUMNS = (
    *("shard", "debtor_id", "event_id", "type", "case_version"),
    *("actor", "caused_by", "occurred_at", "recorded_at", "data"),
)

WRITE_MARKS = """
INSERT INTO source_mark (kind, number, topic, partition, source, incarnation, last_seq)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::int[], $7::bigint[])
ON CONFLICT (kind, number, topic, partition, source) DO UPDATE
SET incarnation = excluded.incarnation, last_seq = excluded.last_seq
"""
WRITE_GAPS = """
INSERT INTO gap (kind, number, topic, partition, source, incarnation, from_seq, seen_seq)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::int[], $7::bigint[], $8::bigint[])
ON CONFLICT (kind, number, topic, partition, source) DO UPDATE
SET incarnation = excluded.incarnation, from_seq = excluded.from_seq, seen_seq = excluded.seen_seq
"""
CLOSE_GAPS = """
DELETE FROM gap g USING unnest($2::int[], $3::text[], $4::int[], $5::text[]) AS v (number, topic, partition, source)
WHERE g.kind = $1 AND (g.number, g.topic, g.partition, g.source) = (v.number, v.topic, v.partition, v.source)
"""
WRITE_CLOCKS = """
INSERT INTO lane_clock (kind, number, lender_id, business_date)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::date[])
ON CONFLICT (kind, number, lender_id) DO UPDATE SET business_date = excluded.business_date
"""
WRITE_DIRECTIVES = """
INSERT INTO directive (kind, number, name, type, data)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::json[])
ON CONFLICT (kind, number, name) DO UPDATE SET type = excluded.type, data = excluded.data
"""
NEW_OUTS = """
INSERT INTO lane_out (kind, number, topic, partition, out_seq, acked_seq, head)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bytea[])
ON CONFLICT DO NOTHING
"""
MOVE_OUTS = """
UPDATE lane_out o SET out_seq = v.out_seq, acked_seq = v.acked_seq, head = v.head
FROM unnest($2::int[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[])
    AS v (number, topic, partition, out_seq, acked_seq, head, old)
WHERE o.kind = $1 AND (o.number, o.topic, o.partition) = (v.number, v.topic, v.partition) AND o.head = v.old
"""
WRITE_FACTS = """
INSERT INTO outbox (kind, number, topic, partition, incarnation, seq_from, seq_to, body)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bytea[])
"""
WRITE_LINKS = """
INSERT INTO audit_link (kind, number, topic, partition, incarnation, seq_from, seq_to, head)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bytea[])
"""
WRITE_LETTERS = """
INSERT INTO dead_letter (
    kind, id, number, topic, partition, log_offset, lender_id, owner, event_id, event_type, reason, field, raw,
    buried_at)
SELECT $1, * FROM unnest($2::text[], $3::int[], $4::text[], $5::int[], $6::bigint[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::timestamptz[])
ON CONFLICT (id) DO UPDATE
SET status = 'open', reason = excluded.reason, field = excluded.field, raw = excluded.raw,
    buried_at = excluded.buried_at, resolved_at = NULL, resolved_by = NULL, resolution = NULL
WHERE dead_letter.status <> 'open'
"""
RESOLVE_LETTERS = """
UPDATE dead_letter d SET status = v.status, resolved_at = v.at, resolved_by = v.by, resolution = v.resolution
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[]) AS v (id, status, at, by, resolution)
WHERE d.kind = $1 AND d.id = v.id
"""
WRITE_QUARANTINES = """
INSERT INTO quarantine (kind, number, owner, letter_id, since)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""
END_QUARANTINES = """
DELETE FROM quarantine q USING unnest($2::text[], $3::text[]) AS v (owner, letter_id)
WHERE q.kind = $1 AND (q.owner, q.letter_id) = (v.owner, v.letter_id)
"""
WRITE_PARKED = """
INSERT INTO parked (kind, number, owner, topic, partition, log_offset, raw)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bytea[])
"""
END_PARKED = """
DELETE FROM parked p USING unnest($2::text[], $3::bigint[]) AS v (owner, ordinal)
WHERE p.kind = $1 AND (p.owner, p.ordinal) = (v.owner, v.ordinal)
"""
ANSWER_COMMANDS = """
UPDATE command c SET status = v.status, response = v.response, done_at = v.at
FROM unnest($2::text[], $3::text[], $4::jsonb[], $5::timestamptz[]) AS v (id, status, response, at)
WHERE c.kind = $1 AND c.id = v.id
"""
STOP_ACTORS = """
UPDATE actor a SET stopped_reason = nullif(v.reason, ''), stopped_at = CASE WHEN v.reason = '' THEN NULL ELSE v.at END
FROM unnest($2::int[], $3::text[], $4::timestamptz[]) AS v (number, reason, at)
WHERE a.kind = $1 AND a.number = v.number
"""
RENEW_ACTORS = f"""
UPDATE actor a SET incarnation = v.incarnation, timeline = {_TIMELINE}
FROM unnest($2::int[], $3::int[]) AS v (number, incarnation)
WHERE a.kind = $1 AND a.number = v.number
"""
WRITE_OPERATIONS = """
INSERT INTO operation_log (kind, number, at, actor, operation, detail)
SELECT $1, * FROM unnest($2::int[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
"""


def writes(kind: str, effects: Effects) -> Iterator[tuple[str, list[Any]]]:
    """The statements that write a turn's effects but for `outs`, each with its arrays; what is empty is left out."""
    heads = {place: moved.new.head for place, moved in effects.outs.items()}
    opened = [(n, *lane, source, *gap) for (n, lane, source), gap in effects.gaps.items() if gap is not None]
    closed = [(n, *lane, source) for (n, lane, source), gap in effects.gaps.items() if gap is None]
    stored = [(f.number, *f.lane, f.incarnation, f.seq_from, f.seq_to) for f in effects.facts]
    entries: Sequence[tuple[str, Rows]] = (
        (WRITE_MARKS, [(n, *lane, source, *mark) for (n, lane, source), mark in effects.marks.items()]),
        (WRITE_GAPS, opened),
        (CLOSE_GAPS, closed),
        (WRITE_CLOCKS, [(*place, day) for place, day in effects.clocks.items()]),
        (WRITE_DIRECTIVES, [(*place, *_directive(fact)) for place, fact in effects.directives.items()]),
        (WRITE_FACTS, [(*row, packed(f.body)) for row, f in zip(stored, effects.facts, strict=True)]),
        (WRITE_LINKS, [(*row, heads[f.number, f.lane]) for row, f in zip(stored, effects.facts, strict=True)]),
        (WRITE_LETTERS, [_letter(letter) for letter in effects.letters]),
        (RESOLVE_LETTERS, effects.resolved),
        (WRITE_QUARANTINES, effects.quarantined),
        (END_QUARANTINES, effects.released),
        (WRITE_PARKED, [(p.number, p.owner, *p.lane, p.offset, p.raw) for p in effects.parked]),
        (END_PARKED, effects.unparked),
        (ANSWER_COMMANDS, [(a.command_id, a.status, a.response.decode(), a.at) for a in effects.answers]),
        (STOP_ACTORS, effects.stops),
        (WRITE_OPERATIONS, effects.operations),
        (RENEW_ACTORS, list(effects.renewed.items())),
    )
    for statement, rows in entries:
        if rows:
            yield statement, [kind, *by_column(rows)]


def outs(effects: Effects) -> tuple[Rows, Rows]:
    """The rows of lanes on which nothing was told before, and of those whose old head is compared."""
    fresh = [(n, *lane, *new) for (n, lane), (old, new) in effects.outs.items() if old is None]
    known = [(n, *lane, *new, old) for (n, lane), (old, new) in effects.outs.items() if old is not None]
    return fresh, known


def _directive(fact: Fact) -> tuple[str, str]:
    return catalogue.wire_name(type(fact)), msgspec.json.encode(fact).decode()


def _letter(letter: Any) -> tuple[Any, ...]:
    return (letter.id, letter.number, *letter.lane, letter.offset, *letter[4:])

"""The SQL of the embedded log, one query per constant; `lane` numbers the lanes asked for, from 0."""

from typing import Final

SCHEMA: Final = """
SELECT pg_advisory_xact_lock(hashtext('fairdue embedded log'));
CREATE TABLE IF NOT EXISTS topic (
    name text PRIMARY KEY,
    partitions int NOT NULL CHECK (partitions > 0)
);
CREATE TABLE IF NOT EXISTS head (
    topic text NOT NULL,
    partition int NOT NULL,
    first_offset bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);
CREATE TABLE IF NOT EXISTS batch (
    topic text NOT NULL,
    partition int NOT NULL,
    last_offset bigint NOT NULL,
    n int NOT NULL,
    appended_at timestamptz NOT NULL,
    body bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (topic, partition, last_offset)
);
"""

TOPICS: Final = "SELECT name, partitions FROM topic WHERE name = ANY($1)"

CREATE_TOPICS: Final = """
WITH made AS (
    INSERT INTO topic SELECT * FROM unnest($1::text[], $2::int[]) AS w(name, partitions) ORDER BY name
    ON CONFLICT DO NOTHING RETURNING name, partitions)
INSERT INTO head (topic, partition) SELECT name, generate_series(0, partitions - 1) FROM made
"""

HEADS: Final = """
SELECT w.lane - 1 AS lane, h.first_offset, h.next_offset
FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS w(topic, partition, lane)
JOIN head h USING (topic, partition)
"""

# Locks in one order for all, so that appends to many lanes never wait for each other in a circle.
MOVE_HEADS: Final = """
WITH locked AS MATERIALIZED (
    SELECT h.topic, h.partition, w.n, w.lane
    FROM unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS w(topic, partition, n, lane)
    JOIN head h USING (topic, partition)
    ORDER BY h.topic, h.partition FOR UPDATE OF h)
UPDATE head h SET next_offset = h.next_offset + l.n FROM locked l
WHERE h.topic = l.topic AND h.partition = l.partition
RETURNING l.lane - 1 AS lane, h.next_offset - l.n AS first_offset
"""

APPEND: Final = """
INSERT INTO batch (topic, partition, last_offset, n, appended_at, body)
SELECT r.topic, r.partition, r.last_offset, r.n, $6, r.body
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::int[], $5::bytea[]) AS r(topic, partition, last_offset, n, body)
"""

NEWS: Final = """
SELECT w.lane - 1 AS lane, h.first_offset, h.next_offset
FROM unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS w(topic, partition, position, lane)
LEFT JOIN head h USING (topic, partition)
WHERE h.next_offset IS DISTINCT FROM w.position
ORDER BY w.lane
"""

# Per lane the batches up to the one that holds its last wanted offset; of these, in turn, until the limit is reached.
READ: Final = """
SELECT lane, last_offset, n, appended_at, body
FROM (SELECT w.lane - 1 AS lane, b.last_offset, b.n, b.appended_at, b.body,
             sum(b.n) OVER (ORDER BY w.lane, b.last_offset) - b.n AS before
      FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
           WITH ORDINALITY AS w(topic, partition, position, last_wanted, lane)
      CROSS JOIN LATERAL (SELECT min(last_offset) AS last_offset FROM batch
                          WHERE topic = w.topic AND partition = w.partition AND last_offset >= w.last_wanted) AS upto
      JOIN batch b ON b.topic = w.topic AND b.partition = w.partition
                  AND b.last_offset >= w.position AND b.last_offset <= upto.last_offset) AS ahead
WHERE before < $5
ORDER BY lane, last_offset
"""

# What is seen decides, never the head: a batch committed meanwhile must not fall below the new first offset.
PRUNE: Final = """
WITH kept AS (
    SELECT coalesce((SELECT last_offset - n + 1 FROM batch
                     WHERE topic = $1 AND partition = $2 AND (appended_at >= $3 OR last_offset >= $4)
                     ORDER BY last_offset LIMIT 1),
                    (SELECT max(last_offset) + 1 FROM batch WHERE topic = $1 AND partition = $2)) AS first_offset),
     moved AS (UPDATE head h SET first_offset = kept.first_offset FROM kept
               WHERE h.topic = $1 AND h.partition = $2 AND h.first_offset < kept.first_offset)
DELETE FROM batch b USING kept WHERE b.topic = $1 AND b.partition = $2 AND b.last_offset < kept.first_offset
"""

"""The runtime's own tables, the same in every service: fence, cursors, marks, outbox, dead letters, commands."""

from alembic import op

revision = "runtime_0001"
down_revision = None
branch_labels = ("runtime",)
depends_on = None

SCHEMA = """
-- The fence: one row per actor. Taking an actor raises its epoch; every transaction locks the rows that it works for.
CREATE TABLE actor (
    kind text, number int, epoch bigint NOT NULL DEFAULT 0, owner text, backend_pid int,
    incarnation int NOT NULL DEFAULT 1, timeline bigint, stopped_reason text, stopped_at timestamptz,
    PRIMARY KEY (kind, number)
) WITH (fillfactor = 20);

CREATE TABLE worker (
    id text PRIMARY KEY, kind text NOT NULL, beat timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);

CREATE TABLE cursor_in (
    kind text, number int, topic text, partition int, next_offset bigint NOT NULL,
    PRIMARY KEY (kind, number, topic, partition)
) WITH (fillfactor = 30);

CREATE TABLE source_mark (
    kind text, number int, topic text, partition int, source text, incarnation int NOT NULL, last_seq bigint NOT NULL,
    PRIMARY KEY (kind, number, topic, partition, source)
) WITH (fillfactor = 30);

-- A source whose records are dropped until from_seq comes: it survives a restart, so that the request is repeated.
CREATE TABLE gap (
    kind text, number int, topic text, partition int, source text, incarnation int NOT NULL, from_seq bigint NOT NULL,
    seen_seq bigint NOT NULL, opened_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, number, topic, partition, source)
);

-- Dense per (source, topic, partition): a consumer of one topic must see no holes.
CREATE TABLE lane_out (
    kind text, number int, topic text, partition int, out_seq bigint NOT NULL, acked_seq bigint NOT NULL,
    head bytea NOT NULL,
    PRIMARY KEY (kind, number, topic, partition)
) WITH (fillfactor = 20);

CREATE TABLE lane_clock (
    kind text, number int, lender_id text, business_date date NOT NULL,
    PRIMARY KEY (kind, number, lender_id)
) WITH (fillfactor = 30);

-- One row per (transaction, lane); dropped by partition when older than the retention.
CREATE TABLE outbox (
    created_at timestamptz NOT NULL DEFAULT now(), kind text NOT NULL, number int NOT NULL, topic text NOT NULL,
    partition int NOT NULL, incarnation int NOT NULL, seq_from bigint NOT NULL, seq_to bigint NOT NULL,
    body bytea NOT NULL
) PARTITION BY RANGE (created_at);
ALTER TABLE outbox ALTER body SET STORAGE EXTERNAL;
CREATE INDEX outbox_lane ON outbox (kind, number, topic, partition, seq_to);
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;

-- The hash chain over each lane's facts, kept after the outbox is dropped.
CREATE TABLE audit_link (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, number int NOT NULL, topic text NOT NULL,
    partition int NOT NULL, incarnation int NOT NULL, seq_from bigint NOT NULL, seq_to bigint NOT NULL,
    head bytea NOT NULL
);

CREATE TABLE dead_letter (
    id text PRIMARY KEY, kind text NOT NULL, number int NOT NULL, topic text NOT NULL, partition int NOT NULL,
    log_offset bigint NOT NULL, lender_id text NOT NULL, owner text NOT NULL, event_id text NOT NULL,
    event_type text NOT NULL, reason text NOT NULL, field text NOT NULL, raw bytea NOT NULL,
    status text NOT NULL DEFAULT 'open', buried_at timestamptz NOT NULL, resolved_at timestamptz, resolved_by text,
    resolution text
);
CREATE INDEX dead_letter_recent ON dead_letter (kind, number, buried_at);
CREATE INDEX dead_letter_status ON dead_letter (status, id);

CREATE TABLE quarantine (
    kind text NOT NULL, number int NOT NULL, owner text, letter_id text, since timestamptz NOT NULL,
    PRIMARY KEY (owner, letter_id)
);

CREATE TABLE parked (
    ordinal bigint GENERATED ALWAYS AS IDENTITY, kind text NOT NULL, number int NOT NULL, owner text,
    topic text NOT NULL, partition int NOT NULL, log_offset bigint NOT NULL, raw bytea NOT NULL,
    PRIMARY KEY (owner, ordinal)
);

CREATE TABLE command (
    id text PRIMARY KEY, client text NOT NULL, key text NOT NULL, kind text NOT NULL, number int NOT NULL,
    name text NOT NULL, owner text NOT NULL, lender_id text NOT NULL, actor text NOT NULL, body jsonb NOT NULL,
    body_hash bytea NOT NULL, status text NOT NULL DEFAULT 'pending', response jsonb,
    created_at timestamptz NOT NULL DEFAULT now(), done_at timestamptz,
    UNIQUE (client, key)
);
CREATE INDEX command_pending ON command (kind, number, created_at) WHERE status = 'pending';

-- Who did what to the machinery itself: resumed shards, resolved letters, new incarnations.
CREATE TABLE operation_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL,
    number int NOT NULL, actor text NOT NULL, operation text NOT NULL, detail text NOT NULL
);

-- Every fact told, for kinds that keep their history.
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    event_id text NOT NULL, type text NOT NULL, case_version bigint NOT NULL, actor text NOT NULL,
    caused_by text NOT NULL, occurred_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL, data jsonb NOT NULL
);
CREATE INDEX history_debtor ON history (debtor_id, id);

-- The lock on an owner whose state several actors share.
CREATE TABLE shared_owner (owner text PRIMARY KEY);
"""

TABLES = (
    *("actor", "worker", "cursor_in", "source_mark", "gap", "lane_out", "lane_clock", "outbox", "audit_link"),
    *("dead_letter", "quarantine", "parked", "command", "operation_log", "history", "shared_owner"),
)


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute(f"DROP TABLE {', '.join(TABLES)}")

"""The tables of intake: the directory of loans, and what is known of each debtor."""

from alembic import op

revision = "intake_0001"
down_revision = None
branch_labels = ("intake",)
depends_on = None

SCHEMA = """
-- Whose loan it is; shared by the ingress actors, so `shard` is the actor that wrote the row first.
CREATE TABLE loan_directory (
    shard smallint NOT NULL, loan_key text PRIMARY KEY, debtor_id text NOT NULL, lender_id text NOT NULL,
    first_seen_at timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE loan_parked (
    shard smallint NOT NULL, loan_key text, event_id text, type text NOT NULL, payload jsonb NOT NULL,
    occurred_at timestamptz NOT NULL, parked_at timestamptz NOT NULL, ordinal bigint NOT NULL,
    PRIMARY KEY (loan_key, event_id)
) WITH (fillfactor = 80);

CREATE TABLE loan_expiry (
    shard smallint NOT NULL, loan_key text PRIMARY KEY, due_at timestamptz NOT NULL, lender_id text NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX loan_expiry_due ON loan_expiry (shard, due_at);

-- The case as last told; `loans` holds one object per loan.
CREATE TABLE collection_case (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, case_id text NOT NULL, lender_id text NOT NULL,
    status text NOT NULL, opened_on date NOT NULL, version bigint NOT NULL, business_date date NOT NULL,
    oldest_due_on date, jurisdiction text NOT NULL, district text NOT NULL, disposition text, loans jsonb NOT NULL
) WITH (fillfactor = 80);

-- `base` is the newest snapshot, from which everything is counted.
CREATE TABLE loan (
    shard smallint NOT NULL, debtor_id text, loan_id text, base jsonb, closed_at timestamptz, closed_as text,
    PRIMARY KEY (debtor_id, loan_id)
) WITH (fillfactor = 80);

CREATE TABLE payment (
    shard smallint NOT NULL, debtor_id text, loan_id text, payment_id text, amount bigint NOT NULL,
    currency text NOT NULL, posted_at timestamptz NOT NULL, posted_on date NOT NULL, due_since date,
    heard boolean NOT NULL, reversed_at timestamptz, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, loan_id, payment_id)
) WITH (fillfactor = 80);
-- Settled payments are most of them, and are loaded by their full key only.
CREATE INDEX payment_unsettled ON payment (debtor_id) WHERE NOT settled;

CREATE TABLE bucket_due (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, due_on date NOT NULL, lender_id text NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX bucket_due_due ON bucket_due (shard, due_on);

-- Personal data, only ever sealed.
CREATE TABLE debtor_profile (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, sealed bytea NOT NULL, updated_at timestamptz NOT NULL,
    language text NOT NULL
) WITH (fillfactor = 80);
"""

TABLES = "loan_directory, loan_parked, loan_expiry, collection_case, loan, payment, bucket_due, debtor_profile"


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute(f"DROP TABLE {TABLES}")

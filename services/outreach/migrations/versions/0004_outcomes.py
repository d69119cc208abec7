"""Outcomes, opt-outs, wrong contact points, promises with their payments, matters; holds by two clocks."""

from alembic import op

revision = "outreach_0004"
down_revision = "outreach_0003"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE outcome (
    shard smallint NOT NULL, debtor_id text NOT NULL, contact_id text NOT NULL, channel text NOT NULL,
    said jsonb NOT NULL, recorded_at timestamptz NOT NULL, recorded_by text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, contact_id)
) WITH (fillfactor = 80);

CREATE TABLE opt_out (
    shard smallint NOT NULL, debtor_id text NOT NULL, channel text NOT NULL, since timestamptz NOT NULL,
    contact_id text NOT NULL, recorded_by text NOT NULL,
    PRIMARY KEY (debtor_id, channel)
) WITH (fillfactor = 80);

CREATE TABLE bad_point (
    shard smallint NOT NULL, debtor_id text NOT NULL, point text NOT NULL, profile_version bigint NOT NULL,
    since timestamptz NOT NULL, contact_id text NOT NULL,
    PRIMARY KEY (debtor_id, point)
) WITH (fillfactor = 80);

CREATE TABLE promise (
    shard smallint NOT NULL, debtor_id text NOT NULL, promise_id text NOT NULL, contact_id text NOT NULL,
    amount bigint NOT NULL, currency text NOT NULL, promised_on date NOT NULL, last_day date NOT NULL,
    tolerance bigint NOT NULL, zone text NOT NULL, remembered_until date NOT NULL, made_at timestamptz NOT NULL,
    made_on date NOT NULL, made_by text NOT NULL, state text NOT NULL, paid bigint NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, promise_id)
) WITH (fillfactor = 80);

CREATE TABLE promise_payment (
    shard smallint NOT NULL, debtor_id text NOT NULL, loan_id text NOT NULL, payment_id text NOT NULL,
    amount bigint NOT NULL, currency text NOT NULL, posted_at timestamptz, reversed boolean NOT NULL,
    PRIMARY KEY (debtor_id, loan_id, payment_id)
) WITH (fillfactor = 80);

CREATE TABLE promise_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, due_on date NOT NULL, lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);
CREATE INDEX promise_due_due ON promise_due (shard, due_on);

CREATE TABLE matter (
    shard smallint NOT NULL, debtor_id text NOT NULL, matter_id text NOT NULL, kind text NOT NULL, state text NOT NULL,
    team text NOT NULL, opened_at timestamptz NOT NULL, opened_on date NOT NULL, opened_by text NOT NULL,
    due_on date NOT NULL, force text NOT NULL, citation text NOT NULL, contact_id text NOT NULL, loan_id text NOT NULL,
    resolved_at timestamptz, resolved_by text NOT NULL, resolution text NOT NULL, late boolean NOT NULL,
    settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, matter_id)
) WITH (fillfactor = 80);
CREATE INDEX matter_to_be_seen_to ON matter (state, debtor_id, matter_id) WHERE NOT settled;

CREATE TABLE matter_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, matter_id text NOT NULL, due_on date NOT NULL,
    lender_id text NOT NULL,
    PRIMARY KEY (debtor_id, matter_id)
) WITH (fillfactor = 80);
CREATE INDEX matter_due_due ON matter_due (shard, due_on);

-- Holds that were placed before: of theirs only the instants are known.
ALTER TABLE hold ADD COLUMN placed_on date, ADD COLUMN released_on date, ADD COLUMN released_by text;
UPDATE hold SET placed_on = placed_at::date, released_on = released_at::date, released_by = '';
ALTER TABLE hold ALTER COLUMN placed_on SET NOT NULL, ALTER COLUMN released_by SET NOT NULL;
"""

TABLES = "outcome, opt_out, bad_point, promise, promise_payment, promise_due, matter, matter_due"


def upgrade() -> None:
    """Create the tables, and give holds their second clock."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Take both away; only a test does."""
    op.execute(f"DROP TABLE {TABLES}")
    op.execute("ALTER TABLE hold DROP COLUMN placed_on, DROP COLUMN released_on, DROP COLUMN released_by")

"""Outreach's tables: what is known of each debtor, what is due, and each lender's book of visits."""

from alembic import op

revision = "outreach_0001"
down_revision = None
branch_labels = ("outreach",)
depends_on = None

SCHEMA = """
CREATE TABLE debtor_guard (
    shard smallint NOT NULL, debtor_id text NOT NULL, lender_id text NOT NULL, case_version bigint NOT NULL,
    status text, stop_version bigint NOT NULL, jurisdiction text NOT NULL, district text NOT NULL,
    past_due bigint NOT NULL, currency text NOT NULL, plans_made bigint NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);

CREATE TABLE treatment (
    shard smallint NOT NULL, debtor_id text NOT NULL, case_version bigint NOT NULL, stage text NOT NULL,
    strategy text NOT NULL, strategy_version bigint NOT NULL, steps jsonb NOT NULL, plan_number bigint NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);

CREATE TABLE plan (
    shard smallint NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL, state text NOT NULL,
    stage text NOT NULL, strategy text NOT NULL, strategy_version bigint NOT NULL, case_version bigint NOT NULL,
    started_on date NOT NULL, started_at timestamptz NOT NULL, ended_at timestamptz, end_reason text NOT NULL,
    settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, plan_number)
) WITH (fillfactor = 80);

CREATE TABLE plan_step (
    shard smallint NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL, step_number bigint NOT NULL,
    channel text NOT NULL, template text NOT NULL, due_at timestamptz NOT NULL, state text NOT NULL,
    reason text NOT NULL, ended_at timestamptz, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);

CREATE TABLE step_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL, step_number bigint NOT NULL,
    due_at timestamptz NOT NULL, lender_id text NOT NULL,
    PRIMARY KEY (debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);
CREATE INDEX step_due_due ON step_due (shard, due_at);

CREATE TABLE plan_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, due_at timestamptz NOT NULL, lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);
CREATE INDEX plan_due_due ON plan_due (shard, due_at);

CREATE TABLE hold (
    shard smallint NOT NULL, debtor_id text NOT NULL, hold_id text NOT NULL, source text NOT NULL,
    reason text NOT NULL, placed_by text NOT NULL, placed_at timestamptz NOT NULL, until date, released_at timestamptz,
    release_reason text NOT NULL, released boolean NOT NULL,
    PRIMARY KEY (debtor_id, hold_id)
) WITH (fillfactor = 80);

CREATE TABLE hold_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, hold_id text NOT NULL, due_on date NOT NULL,
    lender_id text NOT NULL,
    PRIMARY KEY (debtor_id, hold_id)
) WITH (fillfactor = 80);
CREATE INDEX hold_due_due ON hold_due (shard, due_on);

CREATE TABLE visit (
    shard smallint NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL, step_number bigint NOT NULL,
    district text NOT NULL, crew text NOT NULL, visit_on date NOT NULL, distance_km bigint NOT NULL,
    state text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);

CREATE TABLE refused_treatment (
    shard smallint NOT NULL, reason text NOT NULL, treatments bigint NOT NULL,
    PRIMARY KEY (shard, reason)
) WITH (fillfactor = 80);

-- The allocator's: one book per lender, whose debtors are rows of it.
CREATE TABLE lane_closing (
    shard smallint NOT NULL, lender_id text NOT NULL, business_date date NOT NULL, lane bigint NOT NULL,
    PRIMARY KEY (lender_id, business_date, lane)
) WITH (fillfactor = 80);

CREATE TABLE visit_request (
    shard smallint NOT NULL, lender_id text NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL,
    step_number bigint NOT NULL, district text NOT NULL, past_due bigint NOT NULL, currency text NOT NULL,
    requested_on date NOT NULL, case_version bigint NOT NULL, carried bigint NOT NULL,
    PRIMARY KEY (lender_id, debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);
"""

TABLES = """
    debtor_guard, treatment, plan, plan_step, step_due, plan_due, hold, hold_due, visit, refused_treatment,
    lane_closing, visit_request
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute(f"DROP TABLE {TABLES}")

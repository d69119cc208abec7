"""Placements of cases with agencies, what was paid under them, and what changed for whom; the loans of a case."""

from alembic import op

revision = "outreach_0012"
down_revision = "outreach_0011"
branch_labels = None
depends_on = "runtime_0001"

SCHEMA = """
CREATE TABLE placement (
    shard smallint NOT NULL, debtor_id text NOT NULL, placement_id text NOT NULL, agency_id text NOT NULL,
    tier bigint NOT NULL, state text NOT NULL, lender_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
    owed jsonb NOT NULL, offered_at timestamptz NOT NULL, offered_on date NOT NULL, offered_by text NOT NULL,
    answer_by date NOT NULL, ends_on date NOT NULL, commission_ppm bigint NOT NULL, accepted_at timestamptz,
    accepted_on date, counts_from date, recall_reason text NOT NULL, recall_asked_by text NOT NULL,
    objections_until date, objection text NOT NULL, ended_at timestamptz, ended_on date, ended_as text,
    end_reason text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, placement_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX placement_of_agency ON placement (agency_id, placement_id);
CREATE INDEX placement_of_agency_in_state ON placement (agency_id, state, placement_id);
CREATE UNIQUE INDEX placement_live ON placement (debtor_id) WHERE NOT settled;

CREATE TABLE placement_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, placement_id text NOT NULL, due_on date NOT NULL,
    lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);
CREATE INDEX placement_due_due ON placement_due (shard, due_on);

CREATE TABLE tried_agency (
    shard smallint NOT NULL, debtor_id text NOT NULL, agency_id text NOT NULL, accepted boolean NOT NULL,
    PRIMARY KEY (debtor_id, agency_id)
) WITH (fillfactor = 80);

CREATE TABLE placement_payment (
    shard smallint NOT NULL, debtor_id text NOT NULL, loan_id text NOT NULL, payment_id text NOT NULL,
    placement_id text NOT NULL, agency_id text NOT NULL, tier bigint NOT NULL, amount bigint NOT NULL,
    currency text NOT NULL, commission_ppm bigint NOT NULL, reversed boolean NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, loan_id, payment_id)
) WITH (fillfactor = 80);
CREATE INDEX placement_payment_of_agency ON placement_payment (agency_id, placement_id);

-- Within a shard, ids are in the order of commits: one actor at a time writes it. Between shards they are not.
CREATE TABLE placement_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    agency_id text NOT NULL, placement_id text NOT NULL, change text NOT NULL, state text NOT NULL,
    changed_at timestamptz NOT NULL, changed_on date NOT NULL, reason text NOT NULL, loan_id text NOT NULL,
    payment_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL
);
CREATE INDEX placement_change_of_agency ON placement_change (agency_id, shard, id);

CREATE TABLE agency_credit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    agency_id text NOT NULL, placement_id text NOT NULL, tier bigint NOT NULL, loan_id text NOT NULL,
    payment_id text NOT NULL, posted_on date NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
    commission bigint NOT NULL
);
CREATE INDEX agency_credit_of_agency ON agency_credit (agency_id, posted_on, id);

SELECT wall_off('placement'), wall_off('placement_change'), wall_off('agency_credit');
GRANT SELECT ON placement, placement_change, agency_credit TO fairdue_agency;
-- Of how late a case is by now; it has nothing of anybody's.
GRANT SELECT ON lane_clock TO fairdue_agency;

-- Of cases that were told before, the loans come with their next fact.
ALTER TABLE debtor_guard ADD COLUMN loans jsonb NOT NULL DEFAULT '[]';
"""

TABLES = "placement, placement_due, tried_agency, placement_payment, placement_change, agency_credit"


def upgrade() -> None:
    """Create the tables, and give cases their loans."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Take both away; only a test does."""
    op.execute("REVOKE SELECT ON lane_clock FROM fairdue_agency")
    op.execute(f"DROP TABLE {TABLES}")
    op.execute("ALTER TABLE debtor_guard DROP COLUMN loans")

"""Payments that agencies report before the lender has booked them."""

from alembic import op

revision = "outreach_0019"
down_revision = "outreach_0018"
branch_labels = None
depends_on = None

# Of payments that counted before, no report can be any more: they stay settled, and their day is not known.
SCHEMA = """
CREATE TABLE payment_report (
    shard smallint NOT NULL, debtor_id text NOT NULL, report_id text NOT NULL, placement_id text NOT NULL,
    agency_id text NOT NULL, receipt text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
    paid_on date NOT NULL, received_by text NOT NULL, loan_id text NOT NULL, state text NOT NULL,
    reported_at timestamptz NOT NULL, reported_on date NOT NULL, payment_id text NOT NULL,
    booked_loan_id text NOT NULL, ended_at timestamptz, ended_on date, reason text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, report_id)
) WITH (fillfactor = 80);
CREATE INDEX payment_report_of_agency ON payment_report (agency_id, placement_id, report_id);

SELECT wall_off('payment_report');
SELECT force_wall('payment_report');
GRANT SELECT ON payment_report TO fairdue_agency;

ALTER TABLE placement_change ADD COLUMN report_id text NOT NULL DEFAULT '';
ALTER TABLE placement_payment ADD COLUMN posted_on date, ADD COLUMN report_id text NOT NULL DEFAULT '';
"""


def upgrade() -> None:
    """Create the table and columns."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("""
        DROP TABLE payment_report;
        ALTER TABLE placement_change DROP COLUMN report_id;
        ALTER TABLE placement_payment DROP COLUMN posted_on, DROP COLUMN report_id;
    """)

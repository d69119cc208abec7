"""Which agency is offered which case: what waits for one, what each holds, and how a placement has come about."""

from alembic import op

revision = "outreach_0014"
down_revision = "outreach_0013"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE placement_request (
    shard smallint NOT NULL, lender_id text NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL,
    step_number bigint NOT NULL, past_due bigint NOT NULL, currency text NOT NULL, tier bigint NOT NULL,
    tried jsonb NOT NULL, requested_on date NOT NULL, case_version bigint NOT NULL, carried bigint NOT NULL,
    PRIMARY KEY (lender_id, debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);

CREATE TABLE agency_load (
    shard smallint NOT NULL, lender_id text NOT NULL, agency_id text NOT NULL, counted_after date NOT NULL,
    cases bigint NOT NULL,
    PRIMARY KEY (lender_id, agency_id, counted_after)
) WITH (fillfactor = 80);

ALTER TABLE placement
    ADD COLUMN chosen text NOT NULL DEFAULT 'by_supervisor', ADD COLUMN rule_version text NOT NULL DEFAULT '',
    ADD COLUMN plan_number bigint NOT NULL DEFAULT 0, ADD COLUMN step_number bigint NOT NULL DEFAULT 0;
CREATE INDEX placement_offered_on ON placement (offered_on);

-- What agencies hold by now: the allocator hears only of what comes and goes from here on.
INSERT INTO agency_load (shard, lender_id, agency_id, counted_after, cases)
SELECT 0, lender_id, agency_id, '0001-01-01', count(*) FROM placement WHERE NOT settled GROUP BY lender_id, agency_id;
"""


def upgrade() -> None:
    """Create the tables, and count what agencies hold already."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Take both away; only a test does."""
    op.execute("DROP TABLE placement_request, agency_load")
    op.execute("DROP INDEX placement_offered_on")
    op.execute("ALTER TABLE placement DROP chosen, DROP rule_version, DROP plan_number, DROP step_number")

"""Work for people, and contacts that people make: by whom, with whom, and what counts the days."""

from alembic import op

revision = "outreach_0005"
down_revision = "outreach_0004"
branch_labels = None
depends_on = None

# Guards that are there already learn the date with the next fact of their case; until then no days are counted.
SCHEMA = """
CREATE TABLE work_item (
    shard smallint NOT NULL, debtor_id text NOT NULL, plan_number bigint NOT NULL, step_number bigint NOT NULL,
    queue text NOT NULL, channel text NOT NULL, template text NOT NULL, priority bigint NOT NULL,
    opened_at timestamptz NOT NULL, due_at timestamptz NOT NULL, state text NOT NULL, call_back_at timestamptz,
    claimed_by text NOT NULL, claimed_at timestamptz, contact_id text NOT NULL, reason text NOT NULL,
    ended_at timestamptz, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, plan_number, step_number)
) WITH (fillfactor = 80);
CREATE INDEX work_item_next ON work_item (queue, state, priority DESC, due_at, debtor_id, plan_number, step_number);

ALTER TABLE contact
    ADD COLUMN by_hand boolean NOT NULL DEFAULT false,
    ADD COLUMN party text NOT NULL DEFAULT 'debtor',
    ADD COLUMN contact_point text NOT NULL DEFAULT '';
ALTER TABLE contact_denial ADD COLUMN party text NOT NULL DEFAULT 'debtor';
ALTER TABLE debtor_guard ADD COLUMN oldest_due_on date;
"""


def upgrade() -> None:
    """Create the table and the columns."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("ALTER TABLE debtor_guard DROP COLUMN oldest_due_on")
    op.execute("ALTER TABLE contact_denial DROP COLUMN party")
    op.execute("ALTER TABLE contact DROP COLUMN by_hand, DROP COLUMN party, DROP COLUMN contact_point")
    op.execute("DROP TABLE work_item")

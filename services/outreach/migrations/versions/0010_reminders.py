"""Reminders of promises, which are due before their day."""

from alembic import op

revision = "outreach_0010"
down_revision = "outreach_0009"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE promise_reminder_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, promise_id text NOT NULL, due_at timestamptz NOT NULL,
    lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80);
CREATE INDEX promise_reminder_due_due ON promise_reminder_due (shard, due_at);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE promise_reminder_due")

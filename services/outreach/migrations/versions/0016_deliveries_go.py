"""What agencies were told is kept for a time, and goes."""

from alembic import op

revision = "outreach_0016"
down_revision = "outreach_0015"
branch_labels = None
depends_on = None

# What ended before is kept as long as what ends from now on.
SCHEMA = """
ALTER TABLE webhook_delivery ADD COLUMN goes_at timestamptz;
UPDATE webhook_delivery
SET goes_at = coalesce(last_at, created_at) + make_interval(days => CASE state WHEN 'delivered' THEN 30 ELSE 90 END)
WHERE settled;
CREATE INDEX webhook_delivery_goes ON webhook_delivery (shard, goes_at) WHERE goes_at IS NOT NULL;
"""


def upgrade() -> None:
    """Say when each goes that has ended."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Keep all of them for ever; only a test does."""
    op.execute("ALTER TABLE webhook_delivery DROP COLUMN goes_at")

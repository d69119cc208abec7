"""What became of each person in an experiment."""

from alembic import op

revision = "analytics_0002"
down_revision = "analytics_0001"
branch_labels = None
depends_on = None

CREATE = """
CREATE TABLE trial (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    experiment text NOT NULL, arm text NOT NULL, counting boolean NOT NULL, contacts bigint NOT NULL,
    cures bigint NOT NULL, promises_kept bigint NOT NULL, paid jsonb NOT NULL,
    PRIMARY KEY (debtor_id, experiment)
) WITH (fillfactor = 80)
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(CREATE)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE trial")

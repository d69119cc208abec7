"""The sealed profile of each debtor, as intake tells it."""

from alembic import op

revision = "legal_0002"
down_revision = "legal_0001"
branch_labels = None
depends_on = None

# `sealed` is null once the person was erased.
SCHEMA = """
CREATE TABLE profile (
    shard smallint NOT NULL, debtor_id text NOT NULL, lender_id text NOT NULL, version bigint NOT NULL,
    changed_at timestamptz NOT NULL, sealed jsonb,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE profile")

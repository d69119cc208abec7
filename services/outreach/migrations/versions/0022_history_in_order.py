"""The red lines are counted along the history, in the order in which it was written: for that it has an index here."""

from alembic import op

revision = "outreach_0022"
down_revision = "outreach_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.execute("CREATE INDEX history_in_order ON history (id)")


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP INDEX history_in_order")

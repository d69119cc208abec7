"""Rows that are not settled have an index of their own: to load a debtor, no turn goes through what is over."""

from alembic import op

from shared.postgres.indexing import drop_unsettled, index_unsettled

revision = "legal_0004"
down_revision = "legal_0003"
branch_labels = None
depends_on = None

SETTLED = {"matter": "closed", "referral": "answered"}


def upgrade() -> None:
    """Add them."""
    index_unsettled(op.execute, SETTLED)


def downgrade() -> None:
    """Drop them; only a test does."""
    drop_unsettled(op.execute, SETTLED)

"""A fact's one index is its key: it is looked for by its debtor, and each index more costs every fact that is kept."""

from alembic import op

from shared.postgres.indexing import key_alone, key_by_debtor

revision = "analytics_0004"
down_revision = "analytics_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the debtor a part of the key, in the place of two indexes."""
    key_by_debtor(op.execute, "fact")


def downgrade() -> None:
    """Have two again; only a test does."""
    key_alone(op.execute, "fact")

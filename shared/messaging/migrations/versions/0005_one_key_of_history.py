"""The one index of the history is its key: a row is looked for by its debtor, and each index more costs every fact."""

from alembic import op

from shared.postgres.indexing import key_alone, key_by_debtor

revision = "runtime_0005"
down_revision = "runtime_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the debtor a part of the key, in the place of two indexes."""
    key_by_debtor(op.execute, "history")


def downgrade() -> None:
    """Have two again; only a test does."""
    key_alone(op.execute, "history")

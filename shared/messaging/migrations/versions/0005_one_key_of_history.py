"""The one index of the history is its key: a row is looked for by its debtor, and each index more costs every fact."""

from alembic import op

revision = "runtime_0005"
down_revision = "runtime_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the debtor a part of the key, in the place of two indexes."""
    op.execute("DROP INDEX history_debtor")
    op.execute("ALTER TABLE history DROP CONSTRAINT history_pkey, ADD PRIMARY KEY (debtor_id, id)")


def downgrade() -> None:
    """Have two again; only a test does."""
    op.execute("ALTER TABLE history DROP CONSTRAINT history_pkey, ADD PRIMARY KEY (id)")
    op.execute("CREATE INDEX history_debtor ON history (debtor_id, id)")

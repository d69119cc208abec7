"""A fact's one index is its key: it is looked for by its debtor, and each index more costs every fact that is kept."""

from alembic import op

revision = "analytics_0004"
down_revision = "analytics_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the debtor a part of the key, in the place of two indexes."""
    op.execute("DROP INDEX fact_debtor")
    op.execute("ALTER TABLE fact DROP CONSTRAINT fact_pkey, ADD PRIMARY KEY (debtor_id, id)")


def downgrade() -> None:
    """Have two again; only a test does."""
    op.execute("ALTER TABLE fact DROP CONSTRAINT fact_pkey, ADD PRIMARY KEY (id)")
    op.execute("CREATE INDEX fact_debtor ON fact (debtor_id, id)")

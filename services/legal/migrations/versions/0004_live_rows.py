"""Rows that are not settled have an index of their own: to load a debtor, no turn goes through what is over."""

from alembic import op

revision = "legal_0004"
down_revision = "legal_0003"
branch_labels = None
depends_on = None

SETTLED = {"matter": "closed", "referral": "answered"}


def upgrade() -> None:
    """Add them."""
    for table, settled in SETTLED.items():
        op.execute(f"CREATE INDEX {table}_unsettled ON {table} (debtor_id) WHERE NOT {settled}")


def downgrade() -> None:
    """Drop them; only a test does."""
    for table in SETTLED:
        op.execute(f"DROP INDEX {table}_unsettled")

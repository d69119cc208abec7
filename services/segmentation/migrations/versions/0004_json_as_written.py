"""Values of many fields are kept as they were written: the database took half of its time over jsonb's own form."""

from alembic import op

from shared.postgres.retyping import retype

revision = "segmentation_0004"
down_revision = "segmentation_0003"
branch_labels = None
depends_on = None

COLUMNS = {
    "case_copy": ("summary",),
    "assignment": ("explanation", "tier_explanation"),
    "arm": ("explanation",),
    "person": ("known", "override", "promises"),
    "strategy_version": ("document",),
}


def upgrade() -> None:
    """Write every row of these tables anew."""
    retype(op.execute, COLUMNS, "json")


def downgrade() -> None:
    """Write them back; only a test does."""
    retype(op.execute, COLUMNS, "jsonb")

"""Values of many fields are kept as they were written: the database took half of its time over jsonb's own form."""

from alembic import op

from shared.postgres.retyping import retype

revision = "intake_0005"
down_revision = "intake_0004"
branch_labels = None
depends_on = None

COLUMNS = {
    "loan_parked": ("payload",),
    "collection_case": ("loans",),
    "loan": ("accepted", "base", "said"),
    "verification": ("before", "findings", "reported"),
    "profile": ("sealed",),
}


def upgrade() -> None:
    """Write every row of these tables anew."""
    retype(op.execute, COLUMNS, "json")


def downgrade() -> None:
    """Write them back; only a test does."""
    retype(op.execute, COLUMNS, "jsonb")

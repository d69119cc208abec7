"""Values of many fields are kept as they were written: the database took half of its time over jsonb's own form."""

from alembic import op

from shared.postgres.retyping import retype

revision = "runtime_0003"
down_revision = "runtime_0002"
branch_labels = None
depends_on = None

COLUMNS = {
    "history": ("data",),
    "directive": ("data",),
}


def upgrade() -> None:
    """Write every row of these tables anew."""
    retype(op.execute, COLUMNS, "json")


def downgrade() -> None:
    """Write them back; only a test does."""
    retype(op.execute, COLUMNS, "jsonb")

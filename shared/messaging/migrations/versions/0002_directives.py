"""What each lane was told to go by: facts without a debtor, kept by name."""

from alembic import op

revision = "runtime_0002"
down_revision = "runtime_0001"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE directive (
    kind text, number int, name text, type text NOT NULL, data jsonb NOT NULL,
    PRIMARY KEY (kind, number, name)
)
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE directive")

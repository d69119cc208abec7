"""Reconciliations: what came of holding the bank's whole book against ours."""

from alembic import op

revision = "intake_0004"
down_revision = "intake_0003"
branch_labels = None
depends_on = None

SCHEMA = """
-- `kinds` counts accounts by what was found of them; `sums` are what is past due, by currency, in minor units.
CREATE TABLE reconciliation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lender_id text NOT NULL, as_of date NOT NULL,
    cut_off timestamptz NOT NULL, file_digest text NOT NULL, finished_at timestamptz NOT NULL,
    compared bigint NOT NULL, refused bigint NOT NULL, drifting bigint NOT NULL,
    kinds jsonb NOT NULL, sums jsonb NOT NULL
);
CREATE INDEX reconciliation_newest ON reconciliation (lender_id, id DESC);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE reconciliation")

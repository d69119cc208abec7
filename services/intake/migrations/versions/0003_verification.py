"""Verifications: what the data gate found in what the bank says of a loan, and what people decided about it."""

from alembic import op

revision = "intake_0003"
down_revision = "intake_0002"
branch_labels = None
depends_on = None

SCHEMA = """
-- `said` is what the bank said where a person has corrected it; `accepted` are rules whose findings a person accepts.
ALTER TABLE loan ADD COLUMN said jsonb, ADD COLUMN accepted jsonb NOT NULL DEFAULT '[]';

CREATE TABLE verification (
    shard smallint NOT NULL, debtor_id text, verification_id text, loan_id text NOT NULL, lender_id text NOT NULL,
    state text NOT NULL, holds boolean NOT NULL, revision bigint NOT NULL, findings jsonb NOT NULL,
    reported jsonb NOT NULL, before jsonb, raised_at timestamptz NOT NULL, raised_on date NOT NULL,
    decided_at timestamptz, decided_by text NOT NULL, reason text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, verification_id)
) WITH (fillfactor = 80);
-- The queue, and what is loaded of a debtor: only what can still change.
CREATE INDEX verification_undecided ON verification (debtor_id, verification_id) WHERE NOT settled;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE verification; ALTER TABLE loan DROP COLUMN said, DROP COLUMN accepted")

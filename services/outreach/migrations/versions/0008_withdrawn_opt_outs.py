"""Opt-outs that were withdrawn, and the business dates of opt-outs."""

from alembic import op

revision = "outreach_0008"
down_revision = "outreach_0007"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE withdrawn_opt_out (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    channel text NOT NULL, since timestamptz NOT NULL, since_on date NOT NULL, contact_id text NOT NULL,
    recorded_by text NOT NULL, withdrawn_at timestamptz NOT NULL, withdrawn_on date NOT NULL,
    withdrawn_by text NOT NULL, said_by text NOT NULL, reason text NOT NULL
);
CREATE INDEX withdrawn_opt_out_debtor ON withdrawn_opt_out (debtor_id, since);

-- Of opt-outs that were recorded before, only the instant is known.
ALTER TABLE opt_out ADD COLUMN since_on date;
UPDATE opt_out SET since_on = since::date;
ALTER TABLE opt_out ALTER COLUMN since_on SET NOT NULL;
"""


def upgrade() -> None:
    """Create the table, and give opt-outs their second clock."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Take both away; only a test does."""
    op.execute("DROP TABLE withdrawn_opt_out")
    op.execute("ALTER TABLE opt_out DROP COLUMN since_on")

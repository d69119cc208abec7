"""Refusals by people who have no part in the debt."""

from alembic import op

revision = "outreach_0009"
down_revision = "outreach_0008"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE contact_refusal (
    shard smallint NOT NULL, debtor_id text NOT NULL, contact_id text NOT NULL, party text NOT NULL,
    channel text NOT NULL, point text NOT NULL, since timestamptz NOT NULL, since_on date NOT NULL,
    recorded_by text NOT NULL,
    PRIMARY KEY (debtor_id, contact_id)
) WITH (fillfactor = 80);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop it; only a test does."""
    op.execute("DROP TABLE contact_refusal")

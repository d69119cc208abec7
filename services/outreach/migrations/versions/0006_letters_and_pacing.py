"""What was really sent: contact points and texts in the ledger, letters, who read them, and the pace of providers."""

from alembic import op

revision = "outreach_0006"
down_revision = "outreach_0005"
branch_labels = None
depends_on = None

# `point` stands for a number or address under the index key. A letter is sealed under the debtor's key: once that is
# forgotten, only its digest is left. `next_at` of a bucket is when the next token begins.
SCHEMA = """
ALTER TABLE contact ADD COLUMN point text NOT NULL DEFAULT '', ADD COLUMN wording text NOT NULL DEFAULT '';

CREATE TABLE letter (
    debtor_id text NOT NULL, contact_id text NOT NULL, template text NOT NULL, template_version bigint NOT NULL,
    language text NOT NULL, sha256 text NOT NULL, key_id text NOT NULL, sealed bytea NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (debtor_id, contact_id)
);

CREATE TABLE personal_data_read (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, read_at timestamptz NOT NULL, actor text NOT NULL,
    debtor_id text NOT NULL, what text NOT NULL, contact_id text NOT NULL
);
CREATE INDEX personal_data_read_debtor ON personal_data_read (debtor_id, read_at);

CREATE TABLE pace_bucket (
    provider text NOT NULL, channel text NOT NULL, next_at timestamptz NOT NULL,
    PRIMARY KEY (provider, channel)
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    """Create the tables and columns."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("""
        DROP TABLE letter, personal_data_read, pace_bucket;
        ALTER TABLE contact DROP COLUMN point, DROP COLUMN wording;
    """)

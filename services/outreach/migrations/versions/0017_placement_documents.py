"""Documents of placements: what is known of each, and its sealed content."""

from alembic import op

revision = "outreach_0017"
down_revision = "outreach_0016"
branch_labels = None
depends_on = None

# A content is sealed under the debtor's key: once that is forgotten, only the digest of what is sealed is left.
SCHEMA = """
CREATE TABLE placement_document (
    shard smallint NOT NULL, debtor_id text NOT NULL, document_id text NOT NULL, placement_id text NOT NULL,
    agency_id text NOT NULL, kind text NOT NULL, media_type text NOT NULL, size bigint NOT NULL, sha256 text NOT NULL,
    by_lender boolean NOT NULL, contact_id text NOT NULL, filed_by text NOT NULL, filed_at timestamptz NOT NULL,
    filed_on date NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, document_id)
);
CREATE INDEX placement_document_of_agency ON placement_document (agency_id, placement_id, document_id);

CREATE TABLE placement_document_content (
    debtor_id text NOT NULL, document_id text NOT NULL, placement_id text NOT NULL, agency_id text NOT NULL,
    key_id text NOT NULL, sealed bytea NOT NULL, written_at timestamptz NOT NULL,
    PRIMARY KEY (debtor_id, document_id)
);
CREATE INDEX placement_document_content_placement ON placement_document_content (debtor_id, placement_id);
-- What is sealed cannot be made smaller.
ALTER TABLE placement_document_content ALTER COLUMN sealed SET STORAGE EXTERNAL;

SELECT wall_off('placement_document'), wall_off('placement_document_content');
GRANT SELECT ON placement_document, placement_document_content TO fairdue_agency;

ALTER TABLE placement_change ADD COLUMN document_id text NOT NULL DEFAULT '';
ALTER TABLE personal_data_read ADD COLUMN document_id text NOT NULL DEFAULT '';
"""


def upgrade() -> None:
    """Create the tables and columns."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("""
        DROP TABLE placement_document, placement_document_content;
        ALTER TABLE placement_change DROP COLUMN document_id;
        ALTER TABLE personal_data_read DROP COLUMN document_id;
    """)

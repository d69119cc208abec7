"""Agencies may ask about permits of their own: a wall around the ledger of contacts."""

from alembic import op

revision = "outreach_0015"
down_revision = "outreach_0014"
branch_labels = None
depends_on = None

# The ledger has everybody's contacts, and names whoever asked as the audit trail does. Of their own rows agencies are
# shown how a permit stands, and neither the rules that were read nor what a provider said.
SCHEMA = """
ALTER TABLE contact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON contact FOR SELECT TO fairdue_agency USING (asked_by = 'agency/' || (SELECT tenant()));
GRANT SELECT (debtor_id, contact_id, asked_by, state, reason) ON contact TO fairdue_agency;
"""


def upgrade() -> None:
    """Put the wall up, and let agencies look at what is behind it of theirs."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Take it away; only a test does."""
    op.execute("""
        REVOKE SELECT (debtor_id, contact_id, asked_by, state, reason) ON contact FROM fairdue_agency;
        DROP POLICY own_rows ON contact;
        ALTER TABLE contact DISABLE ROW LEVEL SECURITY;
    """)

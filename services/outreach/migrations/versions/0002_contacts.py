"""Contacts: the ledger of permits and what was done under them, refusals, and look-ups that are due."""

from alembic import op

revision = "outreach_0002"
down_revision = "outreach_0001"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE contact (
    shard smallint NOT NULL, debtor_id text NOT NULL, contact_id text NOT NULL, plan_number bigint NOT NULL,
    step_number bigint NOT NULL, channel text NOT NULL, purpose text NOT NULL, template text NOT NULL,
    asked_by text NOT NULL, idempotency_key text NOT NULL, state text NOT NULL, permitted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, case_version bigint NOT NULL, pack text NOT NULL, pack_version text NOT NULL,
    rules jsonb NOT NULL, tries bigint NOT NULL, lookups bigint NOT NULL, outcome text NOT NULL,
    provider_reference text NOT NULL, reason text NOT NULL, ended_at timestamptz, settled boolean NOT NULL,
    PRIMARY KEY (debtor_id, contact_id)
) WITH (fillfactor = 80);
-- One contact at most for a step, whatever any code may think: what certainly reached nobody is no contact.
CREATE UNIQUE INDEX contact_once ON contact (idempotency_key) WHERE state <> 'not_made';

CREATE TABLE contact_due (
    shard smallint NOT NULL, debtor_id text NOT NULL, contact_id text NOT NULL, due_at timestamptz NOT NULL,
    lender_id text NOT NULL,
    PRIMARY KEY (debtor_id, contact_id)
) WITH (fillfactor = 80);
CREATE INDEX contact_due_due ON contact_due (shard, due_at);

CREATE TABLE contact_denial (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    denied_at timestamptz NOT NULL, plan_number bigint NOT NULL, step_number bigint NOT NULL, channel text NOT NULL,
    purpose text NOT NULL, asked_by text NOT NULL, pack text NOT NULL, pack_version text NOT NULL, rules jsonb NOT NULL,
    next_allowed timestamptz
);
CREATE INDEX contact_denial_debtor ON contact_denial (debtor_id, denied_at);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE contact, contact_due, contact_denial")

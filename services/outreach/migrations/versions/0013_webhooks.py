"""Webhooks of agencies, and what they are told."""

from alembic import op

revision = "outreach_0013"
down_revision = "outreach_0012"
branch_labels = None
depends_on = None

SCHEMA = """
CREATE TABLE webhook_endpoint (
    shard smallint NOT NULL, agency_id text NOT NULL, url text NOT NULL, secret bytea NOT NULL, older_secret bytea,
    older_until timestamptz, enabled boolean NOT NULL, reason text NOT NULL, set_at timestamptz NOT NULL,
    set_by text NOT NULL,
    PRIMARY KEY (agency_id)
);

CREATE TABLE webhook_delivery (
    shard smallint NOT NULL, agency_id text NOT NULL, delivery_id text NOT NULL, event_type text NOT NULL,
    debtor_id text NOT NULL, lender_id text NOT NULL, payload text NOT NULL, state text NOT NULL,
    created_at timestamptz NOT NULL, attempts bigint NOT NULL, earlier bigint NOT NULL, last_at timestamptz,
    last_status bigint NOT NULL, last_reason text NOT NULL, settled boolean NOT NULL,
    PRIMARY KEY (agency_id, delivery_id)
) WITH (fillfactor = 80);
CREATE INDEX webhook_delivery_newest ON webhook_delivery (agency_id, created_at, delivery_id);
CREATE INDEX webhook_delivery_open ON webhook_delivery (agency_id) WHERE NOT settled;
CREATE INDEX webhook_delivery_given_up ON webhook_delivery (agency_id, created_at) WHERE state IN ('dead', 'cancelled');

CREATE TABLE webhook_due (
    shard smallint NOT NULL, agency_id text NOT NULL, delivery_id text NOT NULL, due_at timestamptz NOT NULL,
    lender_id text NOT NULL, held boolean NOT NULL,
    PRIMARY KEY (agency_id, delivery_id)
) WITH (fillfactor = 80);
CREATE INDEX webhook_due_due ON webhook_due (shard, due_at);

SELECT wall_off('webhook_endpoint'), wall_off('webhook_delivery');
GRANT SELECT (agency_id, url, enabled, reason, set_at, set_by, older_until) ON webhook_endpoint TO fairdue_agency;
GRANT SELECT ON webhook_delivery TO fairdue_agency;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE webhook_due, webhook_delivery, webhook_endpoint")

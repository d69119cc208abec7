"""Profiles under data keys of their own: the profile, its index, erasures, and who searched for whom."""

from alembic import op

revision = "intake_0002"
down_revision = "intake_0001"
branch_labels = None
depends_on = None

# The first form of the profile was sealed under the one key of the installation, and nothing has ever read it.
SCHEMA = """
DROP TABLE debtor_profile;

-- `sealed` is null once the person was erased.
CREATE TABLE profile (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, lender_id text NOT NULL, version bigint NOT NULL,
    changed_at timestamptz NOT NULL, sealed jsonb
) WITH (fillfactor = 80);

-- Keyed hashes of phone and identity numbers.
CREATE TABLE profile_index (
    shard smallint NOT NULL, debtor_id text, kind text, digest text,
    PRIMARY KEY (debtor_id, kind, digest)
) WITH (fillfactor = 80);
CREATE INDEX profile_index_digest ON profile_index (kind, digest, debtor_id);

CREATE TABLE profile_erasure (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, erased_at timestamptz NOT NULL, erased_by text NOT NULL,
    reason text NOT NULL
);

-- Data keys that are to be destroyed: a row stays until the key store has done so.
CREATE TABLE data_key_due (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, due_at timestamptz NOT NULL, lender_id text NOT NULL,
    erased_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX data_key_due_due ON data_key_due (shard, due_at);

-- Who searched for a person by a number, and how many were found; never for which number.
CREATE TABLE search_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, searched_at timestamptz NOT NULL, actor text NOT NULL,
    kind text NOT NULL, found int NOT NULL
);
"""

BEFORE = """
DROP TABLE profile, profile_index, profile_erasure, data_key_due, search_log;
CREATE TABLE debtor_profile (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, sealed bytea NOT NULL, updated_at timestamptz NOT NULL,
    language text NOT NULL
) WITH (fillfactor = 80);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute(BEFORE)

"""What is counted of contacts: exposure by contact, red lines crossed by debtor, and up to where they were counted."""

from alembic import op

revision = "outreach_0007"
down_revision = "outreach_0006"
branch_labels = None
depends_on = None

# A debtor has rows in `red_line` only where a line was crossed: it is empty, or somebody is to be woken.
SCHEMA = """
CREATE TABLE contact_exposure (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    contact_id text NOT NULL, payment_id text NOT NULL, received_at timestamptz NOT NULL,
    permitted_at timestamptz NOT NULL, stopped_at timestamptz NOT NULL
);

CREATE TABLE red_line (
    debtor_id text NOT NULL, line text NOT NULL, source text NOT NULL, times bigint NOT NULL,
    PRIMARY KEY (debtor_id, line, source)
);

-- `counted` is the last place in a log up to which everything is counted. `seen` is one beyond it, which is final once
-- every transaction before `horizon` has ended: places are given out before they are committed, and not in order.
CREATE TABLE red_line_log (
    source text PRIMARY KEY, counted bigint NOT NULL DEFAULT 0, seen bigint NOT NULL DEFAULT 0,
    horizon bigint NOT NULL DEFAULT 0
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE contact_exposure, red_line, red_line_log")

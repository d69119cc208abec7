"""The register of strategies that staff propose and approve, and what was done with each."""

from alembic import op

revision = "segmentation_0003"
down_revision = "segmentation_0002"
branch_labels = None
depends_on = None

SCHEMA = (
    """
CREATE TABLE books_date (
    shard smallint NOT NULL, register text NOT NULL, lender_id text NOT NULL, business_date date NOT NULL,
    PRIMARY KEY (register, lender_id)
) WITH (fillfactor = 50)
""",
    """
CREATE TABLE strategy_version (
    shard smallint NOT NULL, register text NOT NULL, strategy text NOT NULL, version bigint NOT NULL,
    effective_from date NOT NULL, document jsonb NOT NULL, digest text NOT NULL, state text NOT NULL,
    proposed_by text NOT NULL, proposed_at timestamptz NOT NULL, approved_by text NOT NULL, approved_at timestamptz,
    withdrawn_by text NOT NULL, withdrawn_at timestamptz, reason text NOT NULL,
    PRIMARY KEY (register, strategy, version),
    CONSTRAINT two_persons CHECK (
        approved_by = ''
        OR substr(approved_by, strpos(approved_by, '/') + 1) <> substr(proposed_by, strpos(proposed_by, '/') + 1))
)
""",
    """
CREATE TABLE strategy_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, register text NOT NULL,
    strategy text NOT NULL, version bigint NOT NULL, step text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL,
    digest text NOT NULL, reason text NOT NULL
)
""",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in SCHEMA:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE books_date, strategy_version, strategy_entry")

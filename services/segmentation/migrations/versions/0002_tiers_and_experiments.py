"""Tiers, what decides them, the arm of each person in an experiment, and the day of the next review."""

from alembic import op

revision = "segmentation_0002"
down_revision = "segmentation_0001"
branch_labels = None
depends_on = None

CHANGE = (
    """
ALTER TABLE assignment
    ADD COLUMN tier text, ADD COLUMN segment text NOT NULL DEFAULT '', ADD COLUMN tier_explanation jsonb
""",
    """
CREATE TABLE arm (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    experiment text NOT NULL, experiment_version bigint NOT NULL, arm text NOT NULL, assigned_on date NOT NULL,
    explanation jsonb NOT NULL,
    PRIMARY KEY (debtor_id)
)
""",
    """
CREATE TABLE person (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    known jsonb NOT NULL, promises jsonb NOT NULL, override jsonb,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE review_due (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    due_on date NOT NULL, lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    "CREATE INDEX review_due_on ON review_due (shard, due_on)",
)


def upgrade() -> None:
    """Create the tables, and the columns of the tier."""
    for statement in CHANGE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE review_due, person, arm")
    op.execute("ALTER TABLE assignment DROP COLUMN tier, DROP COLUMN segment, DROP COLUMN tier_explanation")

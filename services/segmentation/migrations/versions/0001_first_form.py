"""The first tables of segmentation: the copy of the case, the debtor's strategy, the assignment, and due work."""

from alembic import op

revision = "segmentation_0001"
down_revision = None
branch_labels = ("segmentation",)
depends_on = None

CREATE = (
    """
CREATE TABLE case_copy (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    lender_id text NOT NULL, case_version bigint NOT NULL, summary jsonb NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE enrolment (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    strategy text NOT NULL, strategy_version bigint NOT NULL, enrolled_on date NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE assignment (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    stage text NOT NULL, entered_on date NOT NULL, strategy text NOT NULL, strategy_version bigint NOT NULL,
    decided_for bigint NOT NULL, decided_on date NOT NULL, explanation jsonb NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    "CREATE INDEX assignment_stage ON assignment (stage, debtor_id)",
    """
CREATE TABLE stage_due (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    due_on date NOT NULL, lender_id text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    "CREATE INDEX stage_due_on ON stage_due (shard, due_on)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE stage_due, assignment, enrolment, case_copy")

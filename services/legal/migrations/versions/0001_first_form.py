"""The first tables of legal: the copy of the case, matters, and referrals."""

from alembic import op

revision = "legal_0001"
down_revision = None
branch_labels = ("legal",)
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
CREATE TABLE matter (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    matter_id text NOT NULL, lender_id text NOT NULL, referral_id text NOT NULL, hold_id text NOT NULL,
    currency text NOT NULL, claim bigint NOT NULL, oldest_due_on date NOT NULL, opened_on date NOT NULL,
    explanation jsonb NOT NULL, closed boolean NOT NULL, closed_on date, closed_because text NOT NULL,
    PRIMARY KEY (debtor_id, matter_id)
) WITH (fillfactor = 80)
""",
    "CREATE UNIQUE INDEX matter_by_id ON matter (matter_id)",
    "CREATE INDEX matter_by_state ON matter (closed, matter_id)",
    """
CREATE TABLE referral (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    referral_id text NOT NULL, lender_id text NOT NULL, case_version bigint NOT NULL,
    plan_number bigint NOT NULL, step_number bigint NOT NULL, referred_at timestamptz NOT NULL,
    answered boolean NOT NULL, accepted boolean NOT NULL, explanation jsonb,
    PRIMARY KEY (debtor_id, referral_id)
) WITH (fillfactor = 80)
""",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE referral, matter, case_copy")

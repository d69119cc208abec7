"""The first tables of analytics: the journal of facts, what is held of each debtor, and the sums over debtors."""

from alembic import op

revision = "analytics_0001"
down_revision = None
branch_labels = ("analytics",)
depends_on = None

CREATE = (
    """
CREATE TABLE fact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, debtor_id text NOT NULL,
    event_id text NOT NULL, type text NOT NULL, lender_id text NOT NULL, case_version bigint NOT NULL,
    occurred_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL, business_date date, data jsonb NOT NULL
)
""",
    "CREATE INDEX fact_debtor ON fact (debtor_id, id)",
    """
CREATE TABLE collection_case (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    case_id text NOT NULL, lender_id text NOT NULL, case_version bigint NOT NULL, status text NOT NULL,
    disposition text NOT NULL, opened_on date NOT NULL, business_date date NOT NULL, stage text NOT NULL,
    strategy text NOT NULL,
    PRIMARY KEY (debtor_id)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE loan (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    loan_id text NOT NULL, lender_id text NOT NULL, product text NOT NULL, portfolio text NOT NULL,
    scheme text NOT NULL, currency text NOT NULL, past_due bigint NOT NULL, outstanding bigint NOT NULL,
    month text NOT NULL, opening text NOT NULL, bucket text NOT NULL,
    PRIMARY KEY (debtor_id, loan_id)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE plan (
    shard smallint NOT NULL, debtor_id text NOT NULL,
    plan_number bigint NOT NULL, lender_id text NOT NULL, stage text NOT NULL, strategy text NOT NULL,
    strategy_version bigint NOT NULL, state text NOT NULL, steps jsonb NOT NULL,
    PRIMARY KEY (debtor_id, plan_number)
) WITH (fillfactor = 80)
""",
    """
CREATE TABLE roll (
    shard smallint NOT NULL, scheme text NOT NULL, month text NOT NULL, lender_id text NOT NULL,
    product text NOT NULL, from_bucket text NOT NULL, to_bucket text NOT NULL, loans bigint NOT NULL,
    PRIMARY KEY (shard, scheme, month, lender_id, product, from_bucket, to_bucket)
) WITH (fillfactor = 50)
""",
    """
CREATE TABLE happening (
    shard smallint NOT NULL, month text NOT NULL, lender_id text NOT NULL, subject text NOT NULL,
    kind text NOT NULL, detail text NOT NULL, times bigint NOT NULL,
    PRIMARY KEY (shard, month, lender_id, subject, kind, detail)
) WITH (fillfactor = 50)
""",
    """
CREATE TABLE cash (
    shard smallint NOT NULL, month text NOT NULL, lender_id text NOT NULL, kind text NOT NULL,
    currency text NOT NULL, measure text NOT NULL, total bigint NOT NULL,
    PRIMARY KEY (shard, month, lender_id, kind, currency, measure)
) WITH (fillfactor = 50)
""",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in CREATE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; only a test does."""
    op.execute("DROP TABLE cash, happening, roll, plan, loan, collection_case, fact")

"""Shards go by the order of debtors' ids: a store that was filled under the rule before cannot be gone on with.

Its rows, and what lies on the lanes of all services, are where the earlier rule put them (docs/decisions/0061).
"""

from alembic import op

revision = "runtime_0004"
down_revision = "runtime_0003"
branch_labels = None
depends_on = None

REFUSED = "FD001"
"""The SQLSTATE, a class of our own."""

REFUSE_WHAT_IS_FILLED = f"""
DO $$
BEGIN
    IF EXISTS (SELECT FROM cursor_in) OR EXISTS (SELECT FROM lane_out) THEN
        RAISE EXCEPTION 'filled under an earlier rule of shards' USING ERRCODE = '{REFUSED}';
    END IF;
END
$$;
"""


def upgrade() -> None:
    """Change nothing, and refuse a store in which an actor has ever read or told."""
    op.execute(REFUSE_WHAT_IS_FILLED)


def downgrade() -> None:
    """Nothing was changed."""

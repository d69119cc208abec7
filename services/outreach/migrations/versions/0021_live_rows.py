"""Rows that are not settled have an index of their own: to load a debtor, no turn goes through what is over.

Settled rows are most of all, and grow with every month: by the key alone each of them was read and left out.
"""

from alembic import op

from shared.postgres.indexing import drop_unsettled, index_unsettled

revision = "outreach_0021"
down_revision = "outreach_0020"
branch_labels = None
depends_on = None

SETTLED = {
    "plan": "settled",
    "plan_step": "settled",
    "hold": "released",
    "visit": "settled",
    "contact": "settled",
    "outcome": "settled",
    "promise": "settled",
    "matter": "settled",
    "placement_payment": "settled",
    "placement_document": "settled",
    "payment_report": "settled",
    "work_item": "settled",
}


def upgrade() -> None:
    """Add them."""
    index_unsettled(op.execute, SETTLED)


def downgrade() -> None:
    """Drop them; only a test does."""
    drop_unsettled(op.execute, SETTLED)

"""Values of many fields are kept as they were written: the database took half of its time over jsonb's own form."""

from alembic import op

from shared.postgres.retyping import retype

revision = "outreach_0020"
down_revision = "outreach_0019"
branch_labels = None
depends_on = None

COLUMNS = {
    "debtor_guard": ("loans",),
    "treatment": ("steps",),
    "contact": ("rules",),
    "contact_denial": ("rules",),
    "outcome": ("said",),
    "placement": ("owed",),
    "profile": ("sealed",),
    "placement_request": ("tried",),
    "agency": ("commission_ppm", "scopes"),
    "agency_key": ("jwk",),
    "agency_api_key": ("scopes",),
    "agency_entry": ("content",),
}


def upgrade() -> None:
    """Write every row of these tables anew."""
    retype(op.execute, COLUMNS, "json")


def downgrade() -> None:
    """Write them back; only a test does."""
    retype(op.execute, COLUMNS, "jsonb")

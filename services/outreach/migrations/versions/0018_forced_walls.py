"""The walls between agencies bind the house too: where a tenant was named, its owner sees that tenant's rows alone."""

from alembic import op

revision = "outreach_0018"
down_revision = "outreach_0017"
branch_labels = None
depends_on = None

TABLES = (
    *("agency", "agency_key", "agency_api_key", "placement", "placement_change", "placement_document"),
    *("placement_document_content", "agency_credit", "webhook_endpoint", "webhook_delivery"),
)

# Lanes and staff name no tenant. Only the owner has this policy: as `fairdue_agency`, who names nobody is refused.
SCHEMA = """
CREATE FUNCTION named_tenant() RETURNS text LANGUAGE sql STABLE
RETURN coalesce(current_setting('app.agency', true), '');
CREATE FUNCTION force_wall(walled regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
    EXECUTE format('CREATE POLICY house ON %s FOR ALL TO CURRENT_USER '
        'USING ((SELECT named_tenant()) IN ('''', agency_id))', walled);
END
$$;
"""


def upgrade() -> None:
    """Put a policy for the owner on each, and have it bind."""
    op.execute(SCHEMA)
    for table in TABLES:
        op.execute(f"SELECT force_wall('{table}')")


def downgrade() -> None:
    """Let the owner through again; only a test does."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY house ON {table}")
    op.execute("DROP FUNCTION force_wall(regclass), named_tenant()")

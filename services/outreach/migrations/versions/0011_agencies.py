"""The register of agencies, what their machines log in with, and the wall between tenants."""

from alembic import op

revision = "outreach_0011"
down_revision = "outreach_0010"
branch_labels = None
depends_on = None

# Agencies ask under a role that owns nothing, so that policies bind it. The service's own role owns the tables and is
# not bound: lanes write with COPY, which PostgreSQL refuses where row-level security applies.
ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairdue_agency') THEN
        BEGIN
            CREATE ROLE fairdue_agency NOLOGIN NOSUPERUSER NOBYPASSRLS;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'fairdue_agency', 'SET') THEN
        EXECUTE format('GRANT fairdue_agency TO %I WITH INHERIT FALSE, SET TRUE', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role fairdue_agency is missing, or % may not act as it', current_user
        USING HINT = format('As a superuser: CREATE ROLE fairdue_agency NOLOGIN; '
            'GRANT fairdue_agency TO %I WITH INHERIT FALSE, SET TRUE;', current_user);
END
$$
"""

# `tenant()` is whom the transaction was opened for. A setting that was made for one transaction is left behind empty in
# its session, so empty is an error as well. `wall_off` is for every table that agencies may read.
WALL = """
CREATE FUNCTION tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF coalesce(current_setting('app.agency', true), '') = '' THEN
        RAISE EXCEPTION 'no tenant was named' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN current_setting('app.agency');
END
$$;
CREATE FUNCTION wall_off(walled regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
    EXECUTE format('CREATE POLICY own_rows ON %s FOR SELECT TO fairdue_agency '
        'USING (agency_id = (SELECT tenant()))', walled);
END
$$;
"""

SCHEMA = """
CREATE TABLE agency (
    shard smallint NOT NULL, agency_id text NOT NULL, name text NOT NULL, state text NOT NULL,
    state_reason text NOT NULL, licence_number text NOT NULL, licence_until date NOT NULL,
    contract_number text NOT NULL, contract_from date NOT NULL, contract_until date NOT NULL, last_evaluation_on date,
    trained_until date,
    published boolean NOT NULL, capacity bigint NOT NULL, commission_ppm jsonb NOT NULL, scopes jsonb NOT NULL,
    complaints bigint NOT NULL, listed_by text NOT NULL, listed_at timestamptz NOT NULL, changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id)
);
CREATE TABLE agency_key (
    shard smallint NOT NULL, agency_id text NOT NULL, kid text NOT NULL, alg text NOT NULL, jwk jsonb NOT NULL,
    added_by text NOT NULL, added_at timestamptz NOT NULL, removed_by text NOT NULL, removed_at timestamptz,
    PRIMARY KEY (agency_id, kid)
);
CREATE TABLE agency_api_key (
    shard smallint NOT NULL, agency_id text NOT NULL, prefix text NOT NULL, sha256 text NOT NULL, scopes jsonb NOT NULL,
    expires_at timestamptz NOT NULL, issued_by text NOT NULL, issued_at timestamptz NOT NULL, revoked_by text NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (agency_id, prefix)
);
CREATE INDEX agency_api_key_prefix ON agency_api_key (prefix);
CREATE TABLE agency_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL, agency_id text NOT NULL,
    step text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL, content jsonb NOT NULL
);
CREATE INDEX agency_entry_agency ON agency_entry (agency_id, id);
CREATE TABLE used_assertion (
    agency_id text NOT NULL, jti text NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, jti)
);
CREATE INDEX used_assertion_expires ON used_assertion (expires_at);

SELECT wall_off('agency'), wall_off('agency_key'), wall_off('agency_api_key');
GRANT SELECT ON agency TO fairdue_agency;
GRANT SELECT (agency_id, kid, alg, added_at, removed_at) ON agency_key TO fairdue_agency;
GRANT SELECT (agency_id, prefix, scopes, expires_at, issued_at, revoked_at) ON agency_api_key TO fairdue_agency;
"""


def upgrade() -> None:
    """Create the role, the wall and the tables."""
    op.execute(ROLE)
    op.execute(WALL)
    op.execute(SCHEMA)


def downgrade() -> None:
    """Drop them; only a test does. The role stays: other databases of the cluster may know it."""
    op.execute("""
        DROP TABLE agency, agency_key, agency_api_key, agency_entry, used_assertion;
        DROP FUNCTION wall_off(regclass), tenant();
    """)

#!/bin/bash
# Run once by the image's entrypoint, on an empty data directory: a database and a role for each service. No role may
# enter another's. Addresses, passwords included, are the secrets that the services get themselves.
set -euo pipefail

secrets=${FAIRDUE_SECRETS:-/run/secrets}

for service in intake segmentation outreach legal analytics; do
  url=$(<"$secrets/database_url_$service")
  password=${url#postgresql://"$service":}
  password=${password%%@*}
  if [[ $url != "postgresql://$service:$password@"*/"$service" ]]; then
    echo "database_url_$service: needs postgresql://$service:password@host:port/$service" >&2
    exit 1
  fi
  PASSWORD=$password psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$service" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password PASSWORD
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done

# As whom outreach reads for an agency: no login, owns nothing, and sees one tenant's rows.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE fairdue_agency NOLOGIN NOSUPERUSER NOBYPASSRLS;
GRANT fairdue_agency TO outreach WITH INHERIT FALSE, SET TRUE;
SQL

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --command 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'

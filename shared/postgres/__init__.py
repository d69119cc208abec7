"""The embedded PostgreSQL server, the databases of the services, and their migrations."""

"""Tenants: what an agency sees is its own, by a role of the database."""

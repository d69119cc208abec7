"""Agencies: who works cases of the lender under placements."""

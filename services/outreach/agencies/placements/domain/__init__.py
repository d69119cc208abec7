"""The rules of placements: what is known of an agency, how a placement runs, and what a payment under it is worth."""

"""Placements: cases that an agency works, from the offer to the recall, and what it earns by what is paid meanwhile."""

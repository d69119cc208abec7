"""Outsourced agencies: what is known of them, and the cases that they work."""

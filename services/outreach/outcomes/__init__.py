"""Outcomes: what came of each contact, said once, and what follows from it."""

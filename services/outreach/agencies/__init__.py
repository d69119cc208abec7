"""Agencies: how each stands (register), how their machines log in (access), what they work and what they are told."""

"""Agencies: which there are and how they stand (register), how their machines log in (access), what each sees."""

"""Contacts without I/O."""

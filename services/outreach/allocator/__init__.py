"""Allocator: what cannot be split by debtor is allotted by one actor, a business day at a time."""

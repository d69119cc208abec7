"""Compliance: whether a person may be contacted now, by which rules, and when next; rules are data, the engine pure."""

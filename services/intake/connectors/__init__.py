"""Sources of loan events: each writes the same events to the public topic."""

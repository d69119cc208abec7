"""Facts in, decisions out: each case's stage, tier and treatment."""

"""Field: which crew of two visits which debtor on which day."""

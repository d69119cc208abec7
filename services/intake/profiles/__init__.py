"""Who debtors are: sealed profiles told on, found by number, and erased for good."""

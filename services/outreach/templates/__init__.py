"""Templates: what is said to debtors, in approved and versioned texts; a linter holds them against the conduct book."""

"""One case per debtor and lender: what is past due, since when, and what became of it."""

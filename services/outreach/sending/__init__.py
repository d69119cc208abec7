"""What is really sent: texts filled in with a debtor's own data, by whom, how fast, and what is kept of letters."""

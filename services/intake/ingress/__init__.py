"""The edge: finds the debtor of each event of the bank, and parks events of loans that nobody knows yet."""

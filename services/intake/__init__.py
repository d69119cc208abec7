"""Cases and debtors: what is owed, since when and by whom; payments; the clock of days past due; connectors."""

"""What the data gate makes of each snapshot, and what follows from a decision."""

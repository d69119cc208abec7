"""What follows from the outcome of a contact."""

"""The rules of a case: what is kept, what is unpaid, what follows from it. Standard library only."""

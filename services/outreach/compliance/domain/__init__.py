"""The engine: an attempt, a history and a pack of rules make a verdict. Standard library only."""

"""Allocation: which agency is offered which case, by a versioned rule, with a part drawn at random."""

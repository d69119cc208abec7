"""How events travel: the log, the one transaction from input to effects, and the actors that run it."""

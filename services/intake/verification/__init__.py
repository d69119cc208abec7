"""The data gate: what looks wrong in what the bank says of a loan, and what a person decides about it."""

"""Matters: disputes, complaints and claims of hardship, each with a deadline and a hold until it is resolved."""

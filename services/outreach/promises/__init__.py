"""Promises to pay: taken within limits, filled by payments, kept or broken when their day has passed."""

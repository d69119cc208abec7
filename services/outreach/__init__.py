"""Outreach: what happens next for each debtor; plans, their steps, holds, and visits in the field."""

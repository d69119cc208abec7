"""The published language: one file per producer. Contracts grow, never change."""

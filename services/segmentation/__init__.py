"""Segmentation: where each case stands on the collection ladder, and what is to be done about it."""

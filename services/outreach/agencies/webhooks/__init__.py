"""Webhooks: an agency is told of its placements by signed calls of its own address, tried again over days."""

"""Permits for people: asked for over REST, judged and reserved as any other, and given back, taken back or used."""

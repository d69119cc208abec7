"""Plans: a treatment becomes steps at certain instants, and whatever stops them stops them at once."""

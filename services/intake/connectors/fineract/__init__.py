"""Apache Fineract: the messages of its external events, from their bytes to events of ours."""

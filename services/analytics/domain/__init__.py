"""What is counted, and how: moves of loans between buckets, plans and their steps, and the rows for it."""

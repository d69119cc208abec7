"""Change data capture by Debezium: a core's outbox, or its tables themselves."""

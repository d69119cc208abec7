"""Traces: what each service did about one event, as spans for a collector that speaks OTLP."""

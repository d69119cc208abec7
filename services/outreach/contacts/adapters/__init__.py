"""Who carries messages: one module per provider."""

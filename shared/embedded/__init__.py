"""Real servers that run without set-up, for demos, tests and development."""

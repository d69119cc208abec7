"""Access of machines: tokens for what an agency has signed, API keys, and who it then is."""

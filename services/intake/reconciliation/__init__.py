"""The bank's whole book against ours: what differs, account by account, and how much in all."""

"""Messages of ISO 20022 about money: what came in for loans (camt.054), and what was taken back (pacs.004)."""

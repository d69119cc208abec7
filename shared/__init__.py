"""What every service stands on: contracts, messaging, HTTP, encryption, observability."""

"""The register of agencies: licence, contract, conduct and keys, told to every lane."""

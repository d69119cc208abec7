"""Documents of placements: evidence that an agency files, and papers that the lender gives it; sealed by debtor."""

"""Analytics: every fact kept, and what can be counted from them: roll rates, the book, cases, plans and payments."""

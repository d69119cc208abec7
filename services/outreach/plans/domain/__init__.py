"""The rules of plans: `rows` is what is known of a debtor, `window` is when, `course` is how a plan runs."""

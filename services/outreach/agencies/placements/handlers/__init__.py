"""What outreach makes of a placement: offered, worked, paid for, recalled, and over."""

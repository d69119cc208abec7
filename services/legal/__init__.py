"""Legal: which referrals become matters, and the hold that stands as long as a matter is open."""

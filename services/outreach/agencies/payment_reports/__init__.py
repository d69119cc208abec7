"""Payments that agencies report before the lender has booked them: nobody is contacted meanwhile."""

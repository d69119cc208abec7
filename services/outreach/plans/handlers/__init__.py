"""What outreach makes of each fact, due row and command about one debtor.

Every handler ends by arranging for a plan or for none, so that whatever order facts arrive in, a plan is due exactly
where the treatment held asks for one and nothing stands against it.
"""

"""Contacts: permits, the calls of providers that they cover, and the ledger of both.

A contact is made by a due step in three parts. In one transaction the debtor's actor judges it by the rules of contact,
reserves the permit (which counts against every cap from then on) and commits it as `sending`. Only then does the worker
that committed it ask the provider, under a key that is the same for every try of that step. What the provider says is
applied by the same actor. Who dies in between leaves a contact in `sending`: once its permit has expired, after which
no gateway takes it any more, due work looks it up by its key. So a step leads to one contact at most, and where it
cannot be known whether somebody was reached, the contact stays `unknown`, counts, and is never tried again.
"""

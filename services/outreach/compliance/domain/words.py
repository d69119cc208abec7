"""The words that attempts, histories and packs are written in."""

from enum import IntEnum, StrEnum


class Channel(StrEnum):
    """How a person is reached."""

    CALL = "call"
    SMS = "sms"
    EMAIL = "email"
    IM = "im"
    PUSH = "push"
    LETTER = "letter"
    VISIT = "visit"
    CREDIT_REPORT = "credit_report"


class Party(StrEnum):
    """What a person is to the debt."""

    DEBTOR = "debtor"
    CO_DEBTOR = "co_debtor"
    GUARANTOR = "guarantor"
    SPOUSE = "spouse"
    RELATED = "related"
    CONTACT = "contact"
    UNRELATED = "unrelated"
    THIRD = "third"
    ATTORNEY = "attorney"


class Outcome(StrEnum):
    """How a contact ended. `failed`: never rang; `connected`: answered; `conversation`: both sides talked."""

    FAILED = "failed"
    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    CONNECTED = "connected"
    CONVERSATION = "conversation"
    SENT = "sent"


class Direction(StrEnum):
    """Who began it: `out` the collector, `in` the person."""

    OUT = "out"
    IN = "in"


class Mode(StrEnum):
    """What a call is: a notice read out, or a talk. Robots do either."""

    INFORM = "inform"
    INTERACTIVE = "interactive"


class Force(StrEnum):
    """How strongly a rule binds."""

    LAW = "law"
    STANDARD = "standard"
    SELF_DISCIPLINE = "self_discipline"
    HOUSE = "house"


class Scope(StrEnum):
    """What a counter is kept for. Who calls is never part of it: a lender and its agencies share every counter."""

    PERSON = "person"
    DEBT = "debt"
    NUMBER = "number"
    CREDITOR = "creditor"


class Rank(IntEnum):
    """The order in which failing rules are told: what stands in the way longest comes first."""

    STATUS = 1
    PARTY = 2
    CONSENT = 3
    CONTENT = 4
    HOURS = 5
    FREQUENCY = 6

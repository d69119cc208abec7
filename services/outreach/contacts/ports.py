"""What is asked of whoever carries messages, and how it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Message:
    """One contact to be made under one permit: `permit` is signed, and says what it is for and until when.

    `key` is the same for every try of one step: a provider takes it once. From `expires_at` on nobody may take it.
    What is said, and to whom, is empty for a gateway that reaches nobody, and shown nowhere.
    """

    key: str
    contact_id: str
    debtor_id: str
    lender_id: str
    channel: str
    template: str
    sent_at: datetime
    permit: str
    expires_at: datetime | None = None
    recipient: str = field(default="", repr=False)
    sender: str = field(default="", repr=False)
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    pdf: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said to a provider that talks by itself: a result, and what was promised or asked for.

    percent: of what is past due, with a promise. days: from now, to a promised day or another time.
    """

    result: str
    percent: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message was taken: how the provider names it, and how the contact ended, in the rules' words.

    answer: what was said, where the provider hears it.
    """

    reference: str
    outcome: str
    answer: Answer | None = None


class RefusedError(Exception):
    """The provider will never take this message; nobody was reached."""


class NotTakenError(Exception):
    """The provider has certainly not taken this message now; it may be tried again, after `seconds` if it says so."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class PutOffError(Exception):
    """Nobody was given this message, or asked about it, and nobody will be for about so many seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class StoppedError(Exception):
    """The message is not wanted any more, since its plan was stopped after the permit; nobody was given it."""


class UnansweredError(Exception):
    """Nobody knows whether the provider has taken the message."""


class Gateway(Protocol):
    """A provider of one or more channels, which knows a message by its key.

    One that takes a key only once, however often it is given, may be given one again that it does not know; without
    that, what was never answered is never tried again.
    """

    @property
    def takes_once(self) -> bool:
        """Whether a key is taken only once."""

    async def send(self, message: Message) -> Receipt:
        """Take a message. Raises RefusedError, NotTakenError, PutOffError, StoppedError, UnansweredError."""

    async def look_up(self, key: str) -> Receipt | None:
        """What became of a message, None where it was never taken. Raises PutOffError, UnansweredError."""


@runtime_checkable
class Pulling(Protocol):
    """A provider that may let go of a message which it has taken and not delivered yet."""

    async def pull(self, key: str) -> bool:
        """Have a message not delivered; whether that is certain now. Raises PutOffError, UnansweredError."""

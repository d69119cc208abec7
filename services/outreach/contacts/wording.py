"""What a contact says, and to whom: asked of whoever writes it, just before it is sent."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.contracts import outreach
from shared.contracts.envelope import Event


@dataclass(frozen=True, slots=True)
class Said:
    """A message in clear: it lives as long as the call of the provider, and is shown and kept nowhere.

    point: stands for the recipient under the index key. wording: the text's name, version and language.
    """

    recipient: str = field(default="", repr=False)
    sender: str = field(default="", repr=False)
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    pdf: bytes = field(default=b"", repr=False)
    point: str = ""
    wording: str = ""


NOTHING_SAID = Said()
"""Of a contact through a gateway that reaches nobody."""


class Writer(Protocol):
    """Writes what a permitted contact says."""

    async def write(self, event: Event[outreach.ContactPermitted]) -> Said:
        """Raises RefusedError where nothing may be said, StoppedError where nothing is to be, PutOffError for now."""

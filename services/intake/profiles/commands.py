"""What a supervisor can ask about a debtor as a person."""

from typing import Annotated

import msgspec

REASON_PATTERN = r"^[A-Za-z][A-Za-z ,'\-]*$"
"""Plain words: without digits a reason can hold neither a phone nor an identity number."""

REASON_LENGTH = 64


class EraseProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The debtor as a person is to be forgotten, in every service and every copy."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]

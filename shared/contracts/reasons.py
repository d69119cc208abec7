"""The words in which people say why they do something; they travel in facts, which must not carry personal data."""

from typing import Annotated

import msgspec

REASON_PATTERN = r"^[A-Za-z][A-Za-z ,'\-]*$"
"""Plain words: without digits a reason can hold neither a phone nor an identity number, which facts must not carry."""

REASON_LENGTH = 64

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]

"""Finds by halving the owners whose state the store refuses, so that one of them does not cost the whole batch."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from shared.messaging.applying import TRIES

Saves: TypeAlias = Callable[[Sequence[str]], Awaitable[bool]]
"""Whether a rehearsal of the turn with these owners alone can be saved."""


async def guilty(suspects: Sequence[str], saves: Saves) -> list[str]:
    """The owners that cannot be saved even alone, each tried as often as a handler is."""
    if not suspects or await saves(suspects):
        return []
    if len(suspects) == 1:
        again = [await saves(suspects) for _ in range(TRIES - 1)]
        return [] if any(again) else list(suspects)
    middle = len(suspects) // 2
    return [*await guilty(suspects[:middle], saves), *await guilty(suspects[middle:], saves)]

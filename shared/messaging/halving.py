"""Finds by halving the owners whose state the store refuses, so that one of them does not cost the whole batch."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from shared.messaging.applying import TRIES


class Rehearsal(NamedTuple):
    """A turn with the inputs of these owners alone, and at most so many events applied to each; it is taken back."""

    owners: Sequence[str]
    at_most: int | None = None


Saves: TypeAlias = Callable[[Rehearsal], Awaitable[bool]]
"""Whether what a rehearsal comes to can be saved."""

LONGEST = 10_000
"""Applications to one owner beyond which the search for the first failure gives up; a batch has fewer."""


async def guilty(suspects: Sequence[str], saves: Saves) -> list[str]:
    """The owners that cannot be saved even alone, each tried as often as a handler is."""
    if not suspects or await saves(Rehearsal(suspects)):
        return []
    if len(suspects) == 1:
        again = [await saves(Rehearsal(suspects)) for _ in range(TRIES - 1)]
        return [] if any(again) else list(suspects)
    middle = len(suspects) // 2
    return [*await guilty(suspects[:middle], saves), *await guilty(suspects[middle:], saves)]


async def first_failure(owner: str, saves: Saves) -> int:
    """The first application (from 1) after which the owner cannot be saved: all before it are good, and are kept."""
    for application in range(1, LONGEST):
        if not await saves(Rehearsal([owner], application)):
            return application
    return 1

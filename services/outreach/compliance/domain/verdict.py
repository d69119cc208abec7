"""What an evaluation says: each rule's finding, and the verdict of all of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

Read: TypeAlias = tuple[tuple[str, str | int], ...]


class Finding(NamedTuple):
    """What one rule found: `reason` is empty where the attempt passes; `read` is what it read, by name."""

    rule: str
    reason: str = ""
    read: Read = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an attempt is allowed, and why.

    `failing` holds every rule that stands in the way, in the order in which they are told; `evaluated` every rule that
    was looked at; `next_allowed` the first second at which a denial ends if nothing else happens, and None where time
    alone never ends it; `overridden` what a person with the right waived.
    """

    allowed: bool
    failing: tuple[Finding, ...] = ()
    evaluated: tuple[Finding, ...] = ()
    next_allowed: datetime | None = None
    overridden: tuple[Finding, ...] = ()

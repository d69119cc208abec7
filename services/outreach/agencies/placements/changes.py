"""From where an agency has read what changed: a cursor that loses nothing, whatever is committed meanwhile.

A number or an instant alone would lose something: ids are given out before transactions commit, and two lanes commit in
any order, so that what a reader has not seen may lie before what it has. But one lane's changes are committed in the
order of their ids, since its actor is the only writer of its shard and is fenced for the whole transaction. So the
cursor is as many numbers as there are shards: in each, all up to the number was seen, and nothing new comes before it.
Between shards the order is that of the ids, which for one debtor is the order in which it happened.

Where the database is set back to an earlier time, an agency has to begin anew, as everybody who has read it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.http.paging import PageRequest, malformed_cursor
from shared.service import SHARDS

_DIGITS = 18
"""Of a number in a cursor: all of them fit into a bigint."""


def place_of(paging: PageRequest) -> dict[int, int]:
    """Up to which id each shard was read; nothing where reading begins. Raises Problem 422 for another cursor."""
    parts = [each.partition(".") for each in paging.after.split("/")] if paging.after else []
    for shard, _, seen in parts:
        known = _is_number(shard, 2) and int(shard) < SHARDS
        if not known or not _is_number(seen, _DIGITS):
            raise malformed_cursor()
    return {int(shard): int(seen) for shard, _, seen in parts}


def _is_number(said: str, digits: int) -> bool:
    return said.isascii() and said.isdecimal() and len(said) <= digits


def asked_of(place: Mapping[int, int]) -> dict[str, list[int]]:
    """The same, as the query takes it: every shard, with the last id that was seen in it."""
    return {"shards": list(range(SHARDS)), "seen": [place.get(shard, 0) for shard in range(SHARDS)]}


def after(place: Mapping[int, int], rows: Iterable[Any]) -> str:
    """The place after these rows, which are in the order of their ids, as a cursor's key."""
    reached = {**place, **{row.shard: row.id for row in rows}}
    return "/".join(f"{shard}.{seen}" for shard, seen in sorted(reached.items()))

"""What must hold at every step, whatever stands still or has just died."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.e2e.invariants import OF_EVERY_SERVICE, OF_ONE_SERVICE
from tests.e2e.owners import Owners

Heights: TypeAlias = Mapping[tuple[Any, ...], int]

RISING = {
    "epoch": "SELECT kind, number, epoch FROM actor",
    "cursor": "SELECT kind, number, topic, partition, next_offset FROM cursor_in",
    "told": "SELECT kind, number, topic, partition, out_seq FROM lane_out",
    "acknowledged": "SELECT kind, number, topic, partition, acked_seq FROM lane_out",
    "mark": "SELECT kind, number, topic, partition, source, last_seq FROM source_mark",
}
"""What never decreases, by service."""

VERSIONS = "SELECT debtor_id, version FROM collection_case"

ALWAYS = {
    "nobody has acknowledged more than was told": "SELECT * FROM lane_out WHERE acked_seq > out_seq",
    "what is parked is parked for a quarantine": """
        SELECT owner FROM parked WHERE NOT EXISTS (SELECT FROM quarantine WHERE quarantine.owner = parked.owner)
    """,
    "an open letter of a debtor is a quarantine": """
        SELECT id FROM dead_letter WHERE kind = 'lane' AND status = 'open' AND owner <> ''
            AND NOT EXISTS (SELECT FROM quarantine WHERE letter_id = id)
    """,
    "all that was told and not acknowledged can be told again": """
        SELECT * FROM lane_out WHERE out_seq > acked_seq AND out_seq - acked_seq > (
            SELECT coalesce(sum(seq_to - seq_from + 1), 0) FROM outbox WHERE outbox.kind = lane_out.kind
                AND outbox.number = lane_out.number AND outbox.topic = lane_out.topic
                AND outbox.partition = lane_out.partition AND seq_to > acked_seq)
    """,
    **{
        what: OF_EVERY_SERVICE[what]
        for what in (
            "facts of a lane are numbered without a hole",
            "a lane's counter and head are those of its last link",
            "nothing is missed",
            "no actor has stopped",
            "no event is told twice",
        )
    },
}

AT_REST_ONLY = {
    "no date that is watched has passed",  # what falls due is applied later
    "every open case is watched, but in its last bucket",
    "what waits for its loan has an end",  # its end may have come, and be a letter
    "every referral of a case that is known is answered",  # the case's own facts may still be on their way
    "matters stand against open cases only",
}


def _checks(service: str) -> str:
    own = {what: query for (name, what), query in OF_ONE_SERVICE.items() if name == service}
    checks = {**ALWAYS, **{what: query for what, query in own.items() if what not in AT_REST_ONLY}}
    asked = [f"SELECT '{what.replace(chr(39), '')}' WHERE EXISTS ({query})" for what, query in checks.items()]
    return " UNION ALL ".join(asked)


@dataclass
class Standing:
    """How high everything stood when it was last looked at."""

    owners: Owners
    heights: dict[tuple[str, str], Heights] = field(default_factory=dict)

    async def check(self, services: Iterable[str]) -> None:
        """Look at some services again. Raises AssertionError."""
        services = list(services)
        for service in services:
            for what, query in RISING.items():
                await self._rises(service, what, query)
            wrong = await self.owners.rows(service, _checks(service))
            assert wrong == [], f"{service}: {wrong}"
        if "intake" in services:
            await self._rises("intake", "version", VERSIONS)
        self._nothing_is_heard_before_it_is_told()

    async def _rises(self, service: str, what: str, query: str) -> None:
        former = self.heights.get((service, what), {})
        present = {tuple(row[:-1]): row[-1] for row in await self.owners.rows(service, query)}
        fallen = {place: height for place, height in former.items() if present.get(place, -1) < height}
        assert fallen == {}, f"{service}: {what} has gone back from {fallen}"
        self.heights[service, what] = present

    def _nothing_is_heard_before_it_is_told(self) -> None:
        for (service, what), heights in self.heights.items():
            for (_, _, topic, partition, source), mark in heights.items() if what == "mark" else ():
                teller, kind, number = source.split("/")
                told = self.heights[teller, "told"].get((kind, int(number), topic, partition), 0)
                assert mark <= told, f"{service} has heard {mark} of {source} on {topic}/{partition}, of {told} told"

"""What must hold at every step: watched as transactions commit and as records reach the log."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.intake.connectors.sending import CHINA
from services.outreach.contacts.ports import Message
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.sequence import position_of
from tests.simulator.parts import SimulatedTransaction
from tests.simulator.universe import Universe
from tests.simulator.world import Step

DAY = (8, 22)
"""The hours in which people may be reached."""

Place = tuple[Lane, str, int]
"""A lane, a source and its incarnation."""


@dataclass(eq=False)
class Watch:
    """Sees every commit and every record."""

    universe: Universe
    violations: list[str] = field(default_factory=list)
    told: dict[Place, list[int]] = field(default_factory=dict)
    """What was ever appended, by place: a hash of each first occurrence, in order."""

    def __post_init__(self) -> None:
        """Look at the log from now on."""
        self.universe.log.watch = self.appended
        self.universe.provider.reached = self.reached

    def _violated(self, text: str) -> None:
        self.violations.append(text)
        self.universe.world.say(f"VIOLATION {text}")

    def commits(self, step: Step) -> None:
        """A transaction is about to commit: under the epochs that it was fenced at, and only forwards (5, 7)."""
        transaction: SimulatedTransaction = step.about
        content, kind = transaction.process.database.content, transaction.inner.kind
        if transaction.inner.ended:
            return
        self.universe.world.counts["checked: 5, 7 commits"] += 1
        for number, epoch in transaction.fenced.items():
            standing = content.standings.get((kind, number))
            if standing is None or standing.epoch != epoch:
                self._violated(f"7: {step.actor.name} commits for {kind}/{number} at epoch {epoch}, which is over")
        for move in transaction.moves:
            if move.old is not None and move.new < move.old and move.lane not in self.universe.mangled:
                self._violated(f"5: the cursor of {kind}/{move.number} on {move.lane} goes back")

    def committed(self, step: Step) -> None:
        """A transaction has committed: nothing counts as acknowledged that was never appended (8)."""
        transaction: SimulatedTransaction = step.about
        content, kind = transaction.process.database.content, transaction.inner.kind
        for number in transaction.fenced:
            standing = content.standings[kind, number]
            for lane, out in standing.outs.items():
                told = self.told.get((lane, f"{step.actor.service}/{kind}/{number}", standing.incarnation), ())
                if out.acked > len(told):
                    self._violated(f"8: {kind}/{number} has {out.acked} acknowledged on {lane}, and told {len(told)}")

    def reached(self, message: Message) -> None:
        """Somebody is reached: under a permit that is committed and has not expired, by day, and once (22 to 25)."""
        content = self.universe.databases["outreach"].content
        permit = content.rows.get("contact", {}).get((message.debtor_id, message.contact_id))
        self.universe.world.counts["checked: 24 contacts are committed first"] += 1
        if permit is None and "outreach" not in self.universe.rewound:
            self._violated(f"24: {message.key} is sent without a permit that is committed")
        elif permit is not None and not permit[1].permitted_at <= message.sent_at < permit[1].expires_at:
            self._violated(f"24: {message.key} is sent under a permit that has expired")
        hour = message.sent_at.astimezone(CHINA).hour
        if message.channel != "letter" and not DAY[0] <= hour < DAY[1]:
            self._violated(f"25: {message.key} reaches somebody at {hour} o'clock")
        sent = sum(each.key == message.key for each in self.universe.provider.taken)
        if sent > 1 and "outreach" not in self.universe.rewound:
            self._violated(f"23: {message.key} is sent {sent} times")

    def appended(self, lane: Lane, records: Iterable[Outgoing]) -> None:
        """Records reach the log: first occurrences are dense, and no number is told with another content (3, 4)."""
        for record in records:
            position = position_of(record.headers)
            if position is None:
                continue
            place = (lane, position.source, position.incarnation)
            known, content = self.told.setdefault(place, []), hash(record.value)
            if position.seq == len(known) + 1:
                known.append(content)
            elif position.seq > len(known):
                self._violated(f"3: {place} tells {position.seq} after {len(known)}")
            elif known[position.seq - 1] != content:
                self._violated(f"4: {place} tells {position.seq} twice, with another content")
        self.universe.world.counts["checked: 3, 4 appends"] += 1

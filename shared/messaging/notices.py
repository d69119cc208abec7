"""What a person on call reads of a committed turn: one structured line for each thing that went wrong or was put right.

Ids and reasons only. A reason names a rule or an error's type, never what was refused; personal data never comes here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from shared.messaging.broker import Lane, Record
from shared.messaging.sequence import header
from shared.messaging.sharding import shard_of
from shared.messaging.store import Letter, Source, Standing
from shared.messaging.turn import Turned
from shared.service import ActorKind

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Notices:
    """Writes the lines of one kind of actor of one service."""

    service: str
    kind: ActorKind

    def turned(self, turned: Turned, records: Iterable[Record]) -> None:
        """Letters, quarantines, releases, and actors that stopped or go on."""
        effects = turned.effects
        traces = _traces(records) if effects.letters else {}
        for letter in effects.letters:
            self._letter(letter, traces.get((letter.lane, letter.offset), ""))
        for entry in effects.quarantined:
            self._say("quarantined", entry.number, debtor_id=entry.owner, letter_id=entry.letter_id)
        for owner, letter_id in effects.released:
            self._say("released", self._number(owner), debtor_id=owner, letter_id=letter_id)
        for resolved in effects.resolved:
            log.warning("letter_resolved", **self._place, letter_id=resolved.letter_id, status=resolved.status)
        for stop in turned.stopped:
            self._say("shard_stopped" if stop.reason else "shard_resumed", stop.number, reason=stop.reason)
        for failure in turned.failures:
            log.error("handler_failed", **self._place, failure=failure)

    def gaps(self, before: Mapping[int, Standing], after: Mapping[int, Standing]) -> tuple[int, int]:
        """Gaps that a turn has opened and closed; returns how many of each."""
        opened = repaired = 0
        for number, standing in after.items():
            was, now = before[number].gaps, standing.gaps
            for lane, source in now.keys() - was.keys():
                self._gap("gap_opened", number, lane, source, missing=now[lane, source].from_seq)
            for lane, source in was.keys() - now.keys():
                self._gap("gap_repaired", number, lane, source, missing=was[lane, source].from_seq)
            opened, repaired = opened + len(now.keys() - was.keys()), repaired + len(was.keys() - now.keys())
        return opened, repaired

    def asked(self, number: int, lane: Lane, source: Source, missing: int) -> None:
        """A source was asked to tell again."""
        self._gap("gap_asked", number, lane, source, missing=missing)

    def taken(self, epochs: Mapping[int, int]) -> None:
        """Actors were taken, at the start or from another worker: one line, since all 32 come at once as a rule."""
        if epochs:
            log.info("shards_taken", **self._place, numbers=_runs(epochs), highest_epoch=max(epochs.values()))

    def fenced(self, numbers: Iterable[int]) -> None:
        """Our transaction was given up, since others hold these actors by now."""
        for number in sorted(numbers):
            self._say("fenced", number, reason="another worker has taken the shard")

    @property
    def _place(self) -> dict[str, str]:
        return {"service": self.service, "kind": self.kind.name}

    def _letter(self, letter: Letter, trace: str) -> None:
        ids = {"event_id": letter.event_id, "debtor_id": letter.owner, "trace": trace, "field": letter.field}
        where = f"{letter.lane.topic}/{letter.lane.partition}/{letter.offset}"
        self._say("dead_letter", letter.number, letter_id=letter.id, at_record=where, reason=letter.reason, **ids)

    def _gap(self, event: str, number: int, lane: Lane, source: Source, *, missing: int) -> None:
        self._say(event, number, lane=f"{lane.topic}/{lane.partition}", source=source, missing=missing)

    def _say(self, event: str, number: int, **entries: Any) -> None:
        log.warning(event, **self._place, number=number, **{name: each for name, each in entries.items() if each})

    def _number(self, owner: str) -> int:
        return 0 if self.kind.is_alone else shard_of(owner)


def _runs(numbers: Iterable[int]) -> str:
    """Numbers as people write them: 0-6, 9."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _traces(records: Iterable[Record]) -> dict[tuple[Lane, int], str]:
    return {
        (record.lane, record.offset): header(record.headers, "traceparent")
        or header(record.headers, "ce_traceparent")
        or ""
        for record in records
    }

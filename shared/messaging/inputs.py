"""What a turn applies, one by one: a record, an answer, a due row, a command, or a letter that is tried again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from shared.contracts.envelope import Event, derived_id
from shared.contracts.reading import LONGEST_NAME, UnreadableError, parsed
from shared.messaging.broker import Record
from shared.messaging.frames import unpack_due, unpack_record
from shared.messaging.layout import Layout
from shared.messaging.store import Command, DueRow, Letter
from shared.service import ActorKind, Rejected, TryLater, told_type

DUE_TOPIC = "due"


class Input(msgspec.Struct, frozen=True):
    """One thing to apply for one actor; exactly one of `event` and `refused` is set."""

    number: int
    owner: str = ""
    event: Event[Any] | None = None
    refused: Rejected | None = None
    record: Record | None = None
    due: DueRow | None = None
    command: Command | None = None
    letter: Letter | None = None
    answer: bool = False


def from_record(kind: ActorKind, number: int, record: Record) -> Input | None:
    """Decode a record; None where its type is not one that this kind of actor handles, or it is on a control lane.

    Raises TryLater where decoding needs a part that does not answer.
    """
    if record.lane.topic not in kind.inputs or told_type(record) in kind.passed_over:
        return None
    try:
        event = kind.decode(record)
        owner = kind.owner_of(event) if event is not None else ""
    except Rejected as refusal:
        return Input(number, _debtor_named_by(kind, record), refused=refusal, record=record)
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001  # whatever bytes do to a decoder must cost one event, not the lane
        unreadable = Rejected(f"{type(error).__name__} while reading")
        return Input(number, _debtor_named_by(kind, record), refused=unreadable, record=record)
    return None if event is None else Input(number, owner, event=event, record=record)


def _debtor_named_by(kind: ActorKind, record: Record) -> str:
    """The debtor that the key of an unreadable record names; none at an edge, where keys are the bank's own affair."""
    key = record.key or b""
    if kind.is_edge or len(key) > LONGEST_NAME:
        return ""
    return without_nul(key.decode("utf-8", "replace"))


def without_nul(text: str) -> str:
    """A text as a database takes it."""
    return text.replace("\x00", "\ufffd")


def from_due(kind: ActorKind, due: DueRow, now: datetime) -> Input:
    """A due row as an event, named from what it is: the same row at the same time is the same event.

    Of a state that is not a debtor's, but a loan's, say, it names no debtor.
    """
    column = kind.layout.tables[due.name].due or ""
    cause = f"due/{kind.name}/{due.owner}/{due.name}/{due.key}/{getattr(due.row, column)}"
    event = Event(
        id=derived_id(cause, 0),
        type=f"due:{due.name}",
        lender_id=due.row.lender_id,
        debtor_id=due.owner if kind.layout.owner == "debtor_id" else "",
        occurred_at=now,
        recorded_at=now,
        data=due.row,
    )
    return Input(due.shard, due.owner, event=event, due=due)


def from_command(kind: ActorKind, command: Command) -> Input:
    """A command as an event; one that does not fit its type is refused."""
    try:
        body: Any = parsed(msgspec.json.Decoder(kind.commands[command.name]).decode, command.body)
    except KeyError:
        return Input(command.number, refused=Rejected("no such command", field="name"), command=command)
    except UnreadableError as error:
        return Input(command.number, refused=Rejected(str(error), field="body"), command=command)
    event = Event(
        id=command.id,
        type=f"command:{command.name}",
        lender_id=command.lender_id,
        debtor_id=command.owner,
        actor=command.actor,
        occurred_at=command.created_at,
        recorded_at=command.created_at,
        data=body,
    )
    return Input(command.number, command.owner, event=event, command=command)


def from_letter(kind: ActorKind, letter: Letter, raw: bytes, now: datetime) -> Input | None:
    """A dead letter to be tried again: the record or due row that it holds."""
    if letter.lane.topic == DUE_TOPIC:
        item = from_due(kind, due_of(kind.layout, letter, unpack_due(raw)), now)
    else:
        tried = from_record(kind, letter.number, unpack_record(raw))
        if tried is None:
            return None
        item = tried
    return msgspec.structs.replace(item, letter=letter)


def due_content(due: DueRow) -> dict[str, Any]:
    """What of a due row goes into a dead letter."""
    return {"name": due.name, "key": due.key, "row": due.row, "owner": due.owner}


def due_of(layout: Layout, letter: Letter, content: dict[str, Any]) -> DueRow:
    """The due row that a dead letter holds."""
    table = layout.tables[content["name"]]
    row = msgspec.convert(content["row"], table.row)
    return DueRow(letter.number, content["owner"], content["name"], table.key_of(row), row)


def due_since(layout: Layout, inputs: Iterable[Input]) -> datetime | None:
    """The earliest instant at which due work among inputs was due; None where there is none, or only days."""
    instants = [
        getattr(each.due.row, layout.tables[each.due.name].due or "") for each in inputs if each.due is not None
    ]
    return min((instant for instant in instants if isinstance(instant, datetime)), default=None)

"""The third step of a turn: in bulk, all that its inputs may touch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.quarantine import Resolution
from shared.keys import KeyForgottenError, KeyStore
from shared.messaging.admitting import Admitted, Work
from shared.messaging.applying import Loaded
from shared.messaging.deciding import text_of
from shared.messaging.frames import unpack_record
from shared.messaging.inputs import Input, from_command, from_due, from_letter, from_record
from shared.messaging.layout import Key, nothing_named
from shared.messaging.store import Letter, Parked, Transaction
from shared.service import ActorKind, Rejected
from shared.vault import Vault

_UNDER_DATA_KEY = b"\x02"
"""The first byte of what is not sealed by the installation's own vault."""

ABOUT_LETTERS = ("replay-letter", "discard-letter")


@dataclass(frozen=True, slots=True)
class Loading:
    """Reads for one kind of actor; what the runtime keeps of raw events is sealed.

    keys: for an edge, whose raw events name people in clear: what is known to be a debtor's is sealed under the
        debtor's data key, and so is erased with the person.
    """

    kind: ActorKind
    vault: Vault
    keys: KeyStore | None = None

    def seal(self, raw: bytes, place: str, debtor_id: str) -> bytes:
        """Seal what is kept of an event, for its letter or its debtor. Raises TryLater."""
        if self.keys is None or not debtor_id:
            return self.vault.seal(raw, table="raw", column="raw", owner=place)
        key = self.keys.sealing(debtor_id)
        sealed = key.vault.seal(raw, table="raw", column="raw", owner=place)
        return _UNDER_DATA_KEY + len(key.key_id).to_bytes(1, "big") + key.key_id.encode() + sealed

    def _open(self, sealed: bytes, place: str, debtor_id: str) -> bytes:
        """Open it again. Raises KeyForgottenError."""
        if not sealed.startswith(_UNDER_DATA_KEY):
            return self.vault.open(sealed, table="raw", column="raw", owner=place)
        if self.keys is None:
            raise KeyForgottenError("this was sealed under a data key, and nobody here may ask for one")
        begins = 2 + sealed[1]
        vault = self.keys.opening(debtor_id, sealed[2:begins].decode())
        return vault.open(sealed[begins:], table="raw", column="raw", owner=place)

    async def inputs(
        self, transaction: Transaction, work: Work, admitted: Admitted
    ) -> tuple[list[Input], tuple[int, int]]:
        """What the turn applies, in order: records, answers, commands, due rows; how many of the last two there are."""
        inputs: list[Input] = []
        for number, records in admitted.fresh.items():
            decoded = (from_record(self.kind, number, record) for record in records)
            inputs += [item for item in decoded if item is not None]
        batch, standings = work.batch, work.standings
        inputs += [
            Input(number, self.kind.owner_of(event), event=event, answer=True) for number, event, _ in batch.answers
        ]
        running = [number for number, standing in standings.items() if not standing.stopped]
        commands = await transaction.take_commands(list(standings), batch.commands) if batch.commands else ()
        # Due work comes after all commands, however few are taken at once.
        wanted = batch.due if running and not 0 < batch.commands <= len(commands) else 0
        due = await transaction.take_due(self.kind.layout, running, work.now, wanted) if wanted else ()
        inputs += [from_command(self.kind, command) for command in commands]
        inputs += [from_due(self.kind, row, work.now) for row in due]
        return inputs, (len(commands), len(due))

    async def of_owners(
        self, transaction: Transaction, work: Work, inputs: Sequence[Input], owners: Sequence[str]
    ) -> list[Input]:
        """The inputs that touch these owners, commands about their letters among them."""
        letters = await self.letters(transaction, work, inputs)
        tried = {letter_id: item.owner for letter_id, item in letters.items()}
        return [item for item in inputs if {item.owner, tried.get(about_letter(item), "")} & set(owners)]

    async def load(self, transaction: Transaction, work: Work, inputs: Sequence[Input]) -> Loaded:
        """The states, quarantines, parked events and letters that these inputs may touch."""
        letters = await self.letters(transaction, work, inputs)
        owners = {item.owner: item.number for item in (*inputs, *letters.values()) if item.owner}
        owners |= {
            item.letter.owner: item.number for item in letters.values() if item.letter and self._sets_apart(item)
        }
        quarantines = await transaction.quarantines(owners) if owners else {}
        releasing = _released_by(inputs, letters) & set(quarantines) if quarantines else ()
        waiting = await transaction.parked(releasing) if releasing else {}
        parked = {owner: self._unsealed(owner, rows) for owner, rows in waiting.items()}
        items = [*inputs, *letters.values(), *(item for rows in parked.values() for _, item in rows)]
        states = await transaction.load(self.kind.layout, owners, self._named(items)) if owners else {}
        return Loaded(work.standings, states, quarantines, parked, letters, work.batch.heard)

    def _sets_apart(self, item: Input) -> bool:
        return not self.kind.is_edge and item.letter is not None and bool(item.letter.owner)

    async def letters(self, transaction: Transaction, work: Work, inputs: Sequence[Input]) -> dict[str, Input]:
        """The open letters that commands are about, as inputs to be tried again."""
        wanted = {letter_id for item in inputs if (letter_id := about_letter(item))}
        if not wanted:
            return {}
        found = await transaction.letters(wanted)
        tried = {key: self._tried(letter, work) for key, letter in found.items()}
        return {key: item or Input(found[key].number, letter=found[key]) for key, item in tried.items()}

    def _tried(self, letter: Letter, work: Work) -> Input | None:
        """The letter's event, to be applied again; refused where the person whom it names was erased."""
        try:
            raw = self._open(letter.raw, letter.id, letter.owner)
        except KeyForgottenError:
            return Input(letter.number, refused=Rejected("what it said was erased"), letter=letter)
        return from_letter(self.kind, letter, raw, work.now)

    def _unsealed(self, owner: str, rows: Sequence[Parked]) -> list[tuple[Parked, Input]]:
        opened = [
            (row, from_record(self.kind, row.number, unpack_record(self._open(row.raw, owner, owner)))) for row in rows
        ]
        return [(row, item or Input(row.number, owner)) for row, item in opened]

    def _named(self, items: Iterable[Input]) -> dict[str, set[tuple[str, Key]]]:
        named: dict[str, set[tuple[str, Key]]] = {}
        for item in items if self.kind.layout.named is not nothing_named else ():
            if item.event is not None and item.owner:
                for name, key in self.kind.layout.named(item.event):
                    named.setdefault(name, set()).add((item.owner, key))
        return named


def about_letter(item: Input) -> str:
    """The dead letter that a command is about, empty where it is about none."""
    if item.command is None or item.command.name not in ABOUT_LETTERS:
        return ""
    return text_of(item.command, "letter_id")


def _released_by(inputs: Iterable[Input], letters: Mapping[str, Input]) -> set[str]:
    """Whose parked events this turn may release."""
    resolved = {item.owner for item in inputs if item.event is not None and isinstance(item.event.data, Resolution)}
    return resolved | {item.letter.owner for item in letters.values() if item.letter is not None}

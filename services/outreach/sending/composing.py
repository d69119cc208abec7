"""Writes what a permitted contact says, from the debtor's own data at that moment, opened in memory only."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.outreach.contacts.points import counted_as
from services.outreach.contacts.ports import PutOffError, RefusedError, StoppedError
from services.outreach.contacts.wording import Said
from services.outreach.sending.letters import KeptLetter, opened, sealed
from services.outreach.sending.senders import Owed, Sender, fields_of, language_of
from services.outreach.templates.domain.rendering import Rendered, WrongFieldError
from services.outreach.templates.domain.template import Language
from services.outreach.templates.letters import Letter, UnprintableError, pdf
from services.outreach.templates.store import RefusedWordingError, UnknownTemplateError, Wordings
from shared.contracts import outreach
from shared.contracts.envelope import Event
from shared.contracts.intake import SealedContact, SealedProfile
from shared.frozen import replace
from shared.keys import KeyForgottenError, KeyStore, KeysUnavailableError
from shared.profiles import HeldProfile, NoSuchContactError, contact_of, open_contact, open_name
from shared.vault import SealBroken, Vault

LETTER = "letter"
_AWAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is known of a debtor at this moment; `running` is False where the step's plan has been stopped meanwhile."""

    jurisdiction: str
    past_due: int
    currency: str
    oldest_due_on: date | None
    running: bool
    profile: HeldProfile | None


class Desk(Protocol):
    """Where the writer looks things up, and keeps letters. Every method raises PutOffError where it does not answer."""

    async def dossier(self, debtor_id: str, plan_number: int) -> Dossier | None:
        """What is known of a debtor, None for one who is not known."""

    async def kept(self, debtor_id: str, contact_id: str) -> KeptLetter | None:
        """The letter of a contact, if one was written."""

    async def keep(self, letter: KeptLetter) -> KeptLetter:
        """Keep a letter; the first one of a contact stays."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whom a message is for, in clear."""

    point: SealedContact
    address: str
    name: str
    language: Language
    vault: Vault
    key_id: str


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes messages. `zones` are those of the jurisdictions, in which a message has its date."""

    desk: Desk
    keys: KeyStore
    senders: Mapping[str, Sender]
    zones: Mapping[str, str]
    wordings: Wordings

    async def write(self, event: Event[outreach.ContactPermitted]) -> Said:
        """What a permitted contact says, and to whom. Raises RefusedError, StoppedError, PutOffError."""
        dossier = await self.desk.dossier(event.debtor_id, event.data.plan_number)
        if dossier is None:
            raise RefusedError("nothing is known of the debtor")
        if not dossier.running:
            raise StoppedError("its plan was stopped meanwhile")
        reader, sender = self._reader(event, dossier.profile), self._sender(event)
        written_at = event.data.permitted_at.astimezone(ZoneInfo(self.zones[dossier.jurisdiction]))
        owed = Owed(_reference(event.debtor_id), dossier.past_due, dossier.currency, dossier.oldest_due_on)
        rendered = await asyncio.to_thread(self._rendered, event, reader, sender, owed, written_at.date())
        said = Said(
            recipient=reader.address,
            sender=sender.email,
            subject=rendered.subject,
            text=rendered.text,
            point=counted_as(reader.point),
            wording=f"{rendered.template}.v{rendered.version} {rendered.language}",
        )
        if event.data.channel != LETTER:
            return said
        return replace(said, pdf=await self._letter(event, reader, sender, rendered, written_at))

    def _sender(self, event: Event[outreach.ContactPermitted]) -> Sender:
        sender = self.senders.get(event.lender_id)
        if sender is None:
            raise RefusedError("nobody is known to write for this lender")
        return sender

    def _reader(self, event: Event[outreach.ContactPermitted], held: HeldProfile | None) -> _Reader:
        """The one contact point that was permitted, opened. Raises RefusedError, PutOffError."""
        if not event.data.point:
            raise RefusedError("no contact point is on file")
        try:
            point = contact_of(held, event.data.point)
            profile = _sealed(held)
            return _Reader(
                point=point,
                address=open_contact(held, self.keys, event.debtor_id, point.id),
                name=open_name(held, self.keys, event.debtor_id),
                language=language_of(profile.language),
                vault=self.keys.opening(event.debtor_id, profile.key_id),
                key_id=profile.key_id,
            )
        except NoSuchContactError:
            raise RefusedError("the contact point is not on file any more") from None
        except KeyForgottenError:
            raise RefusedError("the person was erased") from None
        except SealBroken:
            raise RefusedError("the contact point cannot be opened") from None
        except KeysUnavailableError:
            raise PutOffError("the key store does not answer", _AWAY_SECONDS) from None

    def _rendered(
        self, event: Event[outreach.ContactPermitted], reader: _Reader, sender: Sender, owed: Owed, today: date
    ) -> Rendered:
        """The text, filled in and linted. Raises RefusedError, which names rules and fields, and no value."""
        name, channel = event.data.template, event.data.channel
        try:
            if self.wordings.effective(name, today).channel != channel:
                raise RefusedError("its text is for another channel")
            fields = fields_of(sender, reader.language, reader.name, owed, today)
            return self.wordings.say(name, fields, reader.language, today)
        except (UnknownTemplateError, WrongFieldError, RefusedWordingError) as error:
            raise RefusedError(f"its text may not be sent: {error}") from None

    async def _letter(
        self,
        event: Event[outreach.ContactPermitted],
        reader: _Reader,
        sender: Sender,
        rendered: Rendered,
        written_at: datetime,
    ) -> bytes:
        """The letter of this contact, written once and kept. Raises RefusedError, PutOffError."""
        kept = await self.desk.kept(event.debtor_id, event.data.contact_id)
        if kept is None:
            printed = await asyncio.to_thread(_printed, event, reader, sender, rendered, written_at)
            of = (event.debtor_id, event.data.contact_id)
            template = (rendered.template, rendered.version, rendered.language)
            kept = await self.desk.keep(sealed(printed, reader.vault, reader.key_id, of, template, written_at))
        try:
            return opened(kept, self.keys)
        except KeyForgottenError:
            raise RefusedError("the person was erased") from None


def _sealed(held: HeldProfile | None) -> SealedProfile:
    if held is None or held.sealed is None:
        raise KeyForgottenError("no profile is held")
    return held.sealed


def _reference(debtor_id: str) -> str:
    """What a reader is asked to name: it leads staff to the debtor, and tells nobody else anything."""
    short = debtor_id[:12].upper()
    return f"FD-{short[:4]}-{short[4:8]}-{short[8:]}"


def _printed(
    event: Event[outreach.ContactPermitted], reader: _Reader, sender: Sender, rendered: Rendered, written_at: datetime
) -> bytes:
    names = sender.names[reader.language]
    lines = tuple(line.strip() for line in reader.address.splitlines() if line.strip())
    letter = Letter(
        rendered=rendered,
        reference=_reference(event.debtor_id),
        sender=f"{names.agency}, {names.address}",
        recipient=(reader.name, *lines),
        created=written_at,
        id=UUID(hex=event.data.contact_id),
    )
    try:
        return pdf(letter)
    except (UnprintableError, WrongFieldError) as error:
        raise RefusedError(f"the letter cannot be printed: {error}") from None

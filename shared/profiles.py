"""Who a debtor is, as a service holds it: sealed, one version per debtor, opened one field at a time.

held: HeldProfile | None = state.profile
point = contact_of(held, contact_id)                       # all that a decision needs
number = open_contact(held, keys, debtor_id, contact_id)   # just before something is sent, and kept nowhere
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.intake import ProfileChanged, ProfileErased, SealedContact, SealedProfile
from shared.frozen import replace
from shared.keys import KeyForgottenError, KeyStore

TABLE: Final = "profile"
NAME: Final = "name"
ID_NUMBER: Final = "id_number"

StateT = TypeVar("StateT", bound=Any)


@dataclass(frozen=True, slots=True)
class HeldProfile:
    """The newest version of a debtor's profile that is known; `sealed` is None once it was erased."""

    lender_id: str
    version: int
    changed_at: datetime
    sealed: SealedProfile | None


class NoSuchContactError(Exception):
    """The debtor's profile has no such contact point, or no more."""


def column_of(contact_id: str) -> str:
    """The place for which a contact point's value is sealed."""
    return f"contact/{contact_id}"


def take(state: StateT, event: Event[ProfileChanged], _now: Moment) -> tuple[StateT, Sequence[Told]]:
    """Hold the profile in the state's field `profile`, unless a newer version is held."""
    return _newer(state, event, event.data.version, event.data.profile), ()


def drop(state: StateT, event: Event[ProfileErased], _now: Moment) -> tuple[StateT, Sequence[Told]]:
    """Let go of the profile; its version stays, so that an older one that comes late is not held again."""
    return _newer(state, event, event.data.version, None), ()


def _newer(state: StateT, event: Event[Any], version: int, sealed: SealedProfile | None) -> StateT:
    held: HeldProfile | None = state.profile
    if held is not None and held.version >= version:
        return state
    profile = HeldProfile(event.lender_id, version, event.recorded_at, sealed)
    changed: StateT = replace(state, profile=profile)
    return changed


def contacts_of(held: HeldProfile | None) -> Sequence[SealedContact]:
    """The contact points, by what is to be read of them without a key; none where nothing is held."""
    return held.sealed.contacts if held is not None and held.sealed is not None else ()


def contact_of(held: HeldProfile | None, contact_id: str) -> SealedContact:
    """One contact point. Raises NoSuchContactError."""
    for contact in contacts_of(held):
        if contact.id == contact_id:
            return contact
    raise NoSuchContactError("the profile has no such contact point")


def open_contact(held: HeldProfile | None, keys: KeyStore, debtor_id: str, contact_id: str) -> str:
    """The number or address of a contact point. Raises NoSuchContactError, KeyForgottenError, SealBroken."""
    return _opened(held, keys, debtor_id, column_of(contact_id), contact_of(held, contact_id).value)


def open_name(held: HeldProfile | None, keys: KeyStore, debtor_id: str) -> str:
    """The debtor's name, "" where none is known. Raises KeyForgottenError, SealBroken."""
    return _opened(held, keys, debtor_id, NAME, held.sealed.name if held is not None and held.sealed else b"")


def _opened(held: HeldProfile | None, keys: KeyStore, debtor_id: str, column: str, value: bytes) -> str:
    if held is None or held.sealed is None:
        raise KeyForgottenError("no profile is held")
    if not value:
        return ""
    vault = keys.opening(debtor_id, held.sealed.key_id)
    return vault.open(value, table=TABLE, column=column, owner=debtor_id).decode()

"""The newest profile of a debtor in, the same profile told to those who contact people; and its end."""

from collections.abc import Mapping
from typing import Any

from services.intake.profiles.commands import EraseProfile
from services.intake.profiles.store import Erasure, IndexEntry, KeyDue, ProfileFile
from shared.contracts import catalogue
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.ingress import ProfileReceived
from shared.contracts.intake import ProfileChanged, ProfileErased, SealedProfile
from shared.frozen import replace
from shared.messaging.broker import Record
from shared.profiles import HeldProfile
from shared.service import Decision, decode_fact, told_type

_TYPE = catalogue.wire_name(ProfileReceived).encode()


def decode(record: Record) -> Event[Any] | None:
    """Read what is said of persons on a lane that says much else, of which a debtor's other actor takes care."""
    return decode_fact(record) if told_type(record) == _TYPE else None


def take_profile(file: ProfileFile, event: Event[ProfileReceived], now: Moment) -> Decision:
    """Hold and tell a profile, unless the bank has said a newer one, or the person was erased after it."""
    news = event.data.profile
    if file.erasure is not None and news.updated_at <= file.erasure.erased_at:
        return file, ()
    if not _is_newer(file.profile, news):
        return file, ()
    version = _next_version(file)
    held = HeldProfile(event.lender_id, version, now.instant, news)
    entries = (IndexEntry(each.kind, each.digest) for each in event.data.index)
    after = replace(file, profile=held, index={(each.kind, each.digest): each for each in entries})
    return after, [Told(ProfileChanged(version=version, profile=news))]


def erase(file: ProfileFile, event: Event[EraseProfile], now: Moment) -> Decision:
    """Forget the person here, have the key destroyed next, and tell those who hold copies."""
    version, at = _next_version(file), now.instant
    after = replace(
        file,
        profile=HeldProfile(event.lender_id, version, at, None),
        index={},
        erasure=Erasure(at, event.actor, event.data.reason),
        key_due=KeyDue(due_at=at, lender_id=event.lender_id, erased_at=at),
    )
    return after, [Told(ProfileErased(version=version, erased_at=at))]


def _next_version(file: ProfileFile) -> int:
    return 1 if file.profile is None else file.profile.version + 1


def _is_newer(held: HeldProfile | None, news: SealedProfile) -> bool:
    """By when the bank changed it; of two at one instant, by content, so that any order ends with the same."""
    if held is None or held.sealed is None:
        return True
    return _rank(news) > _rank(held.sealed)


def _rank(profile: SealedProfile) -> tuple[object, ...]:
    contacts: Mapping[str, bytes] = {each.id: each.value for each in profile.contacts}
    return profile.updated_at, profile.name, profile.id_number, sorted(contacts.items()), profile.key_id

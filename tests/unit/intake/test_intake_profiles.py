"""Who a debtor is: the newest word of the bank, by version; and what an erasure leaves of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from services.intake.connectors.sealing import IDENTITY, PHONE, BlindIndex, Sealer
from services.intake.profiles.commands import EraseProfile
from services.intake.profiles.effects import destroy_key
from services.intake.profiles.handlers import erase, take_profile
from services.intake.profiles.store import LAYOUT, IndexEntry, KeyDue, ProfileFile
from shared import profiles
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactPoint, PartyProfile
from shared.contracts.envelope import Moment, Told
from shared.contracts.ingress import Indexed, ProfileReceived
from shared.contracts.intake import ProfileChanged, ProfileErased
from shared.keys import FileKeys, KeyForgottenError, LocalKms
from shared.profiles import HeldProfile, NoSuchContactError
from shared.vault import SealBroken, Vault
from tests.unit.intake.play import DEBTOR, event, sealed_profile

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = Moment(AT, date(2026, 3, 2))
NOBODY: ProfileFile = LAYOUT.empty(DEBTOR)
ERASE = EraseProfile(reason="asked by the debtor")


def said(hour: int, name: bytes = b"sealed", *digests: str) -> ProfileReceived:
    index = tuple(Indexed(kind=PHONE, digest=each) for each in digests)
    return ProfileReceived(profile=sealed_profile(AT.replace(hour=hour), name), index=index)


def heard(*news: Any, file: ProfileFile = NOBODY) -> tuple[ProfileFile, list[Any]]:
    told: list[Told] = []
    for each in news:
        handler: Any = erase if isinstance(each, EraseProfile) else take_profile
        file, facts = handler(file, event(each), NOW)
        told += facts
    return file, [each.data for each in told]


def test_each_newer_profile_is_told_under_the_next_version() -> None:
    first, second = said(1), said(2)
    file, told = heard(first, second, first)
    assert told == [ProfileChanged(version=n, profile=each.profile) for n, each in enumerate((first, second), 1)]
    assert file.profile is not None
    assert (file.profile.version, file.profile.sealed) == (2, second.profile)


def test_the_last_state_does_not_depend_on_the_order_of_arrival() -> None:
    ends = {heard(*order)[0].profile.sealed for order in permutations([said(1), said(2), said(2, b"other")])}  # type: ignore[union-attr]
    assert len(ends) == 1


def test_the_index_holds_the_numbers_of_the_newest_profile_only() -> None:
    file, _ = heard(said(1, b"a", "one", "two"), said(2, b"b", "two", "three"))
    assert set(file.index.values()) == {IndexEntry(PHONE, "two"), IndexEntry(PHONE, "three")}


def test_an_erasure_leaves_nothing_but_that_it_was_and_a_key_to_destroy() -> None:
    file, told = heard(said(1, b"sealed", "one"), ERASE)
    assert told[1:] == [ProfileErased(version=2, erased_at=AT)]
    assert file.profile == HeldProfile("demo-bank", 2, AT, None)
    assert (file.index, file.key_due) == ({}, KeyDue(AT, "demo-bank", AT))
    assert file.erasure is not None
    assert file.erasure.reason == "asked by the debtor"


@pytest.mark.parametrize(("hour", "told"), [pytest.param(9, [], id="not newer"), pytest.param(10, [3], id="newer")])
def test_after_an_erasure_only_what_the_bank_says_anew_is_taken(hour: int, told: Sequence[int]) -> None:
    file, _ = heard(said(1), ERASE)
    assert [each.version for each in heard(said(hour), file=file)[1]] == told


def test_one_of_whom_nothing_was_said_can_be_erased_too() -> None:
    assert heard(ERASE)[1] == [ProfileErased(version=1, erased_at=AT)]


def test_the_key_is_destroyed_as_of_the_erasure() -> None:
    keys = FileKeys(LocalKms(bytes(32)))
    key = keys.sealing(DEBTOR)
    file, _ = heard(ERASE)
    assert file.key_due is not None
    later = Moment(AT + timedelta(days=1), date(2026, 3, 3))
    assert destroy_key(keys, replace(file, key_due=None), event(file.key_due), later)[1] == ()
    assert keys.forgotten_at(DEBTOR) == AT
    with pytest.raises(KeyForgottenError):
        keys.opening(DEBTOR, key.key_id)


# -- copies ------------------------------------------------------------------------------------------------------------


def copied(*facts: Any) -> HeldProfile | None:
    state = replace(NOBODY)
    for each in facts:
        keep: Any = profiles.drop if isinstance(each, ProfileErased) else profiles.take
        state, _ = keep(state, event(each), NOW)
    return state.profile


def test_a_copy_is_guarded_by_version_and_an_erased_one_does_not_come_back() -> None:
    one, two = (ProfileChanged(version=n, profile=sealed_profile(AT, bytes([n]))) for n in (1, 2))
    gone = ProfileErased(version=3, erased_at=AT)
    newest = copied(two, one)
    assert newest is not None
    assert newest.sealed == two.profile
    dropped = copied(one, gone, two)
    assert dropped is not None
    assert (dropped.version, dropped.sealed) == (3, None)
    assert profiles.contacts_of(dropped) == ()


# -- sealing -----------------------------------------------------------------------------------------------------------

KEYS = FileKeys(LocalKms(bytes(32)))
INDEX = BlindIndex(bytes(32))
SEALER = Sealer(Vault(bytes(32)), KEYS, INDEX)
LI = PartyProfile(
    lender_id="demo-bank", party_id="li", updated_at=AT, name="李安宁", id_number="00000019500101001x",
    contacts=(
        ContactPoint(kind=ContactKind.MOBILE, value="+86 100 0000 0001"),
        ContactPoint(kind=ContactKind.MOBILE, value="+86 100 0000 0001", owner=ContactOwner.GUARANTOR, verified=True),
        ContactPoint(kind=ContactKind.ADDRESS, value="样例路1号"),
    ),
)  # fmt: skip


def test_each_contact_point_opens_by_its_id_and_in_its_own_place_only() -> None:
    held = HeldProfile("demo-bank", 1, AT, SEALER.profile(LI, DEBTOR).profile)
    contacts = profiles.contacts_of(held)
    assert [(each.kind, each.owner, each.verified) for each in contacts] == [
        (each.kind, each.owner, each.verified) for each in LI.contacts
    ]
    opened = [profiles.open_contact(held, KEYS, DEBTOR, each.id) for each in contacts]
    assert opened == [each.value for each in LI.contacts]
    assert profiles.open_name(held, KEYS, DEBTOR) == LI.name
    with pytest.raises(NoSuchContactError):
        profiles.open_contact(held, KEYS, DEBTOR, "another")
    assert held.sealed is not None
    swapped = replace(held, sealed=sealed_with(held, contacts[0].id, contacts[2].value))
    with pytest.raises(SealBroken):
        profiles.open_contact(swapped, KEYS, DEBTOR, contacts[0].id)


def sealed_with(held: HeldProfile, contact_id: str, value: bytes) -> Any:
    assert held.sealed is not None
    contacts = tuple(
        msgspec.structs.replace(each, value=value) if each.id == contact_id else each for each in held.sealed.contacts
    )
    return msgspec.structs.replace(held.sealed, contacts=contacts)


def test_a_contact_point_keeps_its_id_from_one_profile_to_the_next() -> None:
    one, other = (SEALER.profile(LI, DEBTOR).profile.contacts for _ in range(2))
    assert [each.id for each in one] == [each.id for each in other]
    assert len({each.id for each in one}) == 3


@pytest.mark.parametrize(
    "written",
    [
        "+86 100 0000 0001",
        "10000000001",
        "0086-100-0000-0001",
        "\uff11\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff11",
    ],
)
def test_a_phone_is_found_however_it_is_written(written: str) -> None:
    assert Indexed(kind=PHONE, digest=INDEX.digest(PHONE, written)) in SEALER.profile(LI, DEBTOR).index


@pytest.mark.parametrize("written", ["00000019500101001X", "000000 19500101 001x"])
def test_an_identity_number_is_found_however_it_is_written(written: str) -> None:
    assert Indexed(kind=IDENTITY, digest=INDEX.digest(IDENTITY, written)) in SEALER.profile(LI, DEBTOR).index


def test_another_key_or_kind_gives_another_digest_and_no_number_gives_none() -> None:
    digests = {
        index.digest(kind, "10000000001")
        for index in (INDEX, BlindIndex(bytes(31) + b"1"))
        for kind in (PHONE, IDENTITY)
    }
    assert len(digests) == 4
    assert INDEX.digest(PHONE, "nobody") == ""

"""What the vault promises of personal fields."""

import pytest

from shared.vault import SealBroken, Vault

VAULT = Vault(bytes(range(32)))
PLACE = {"table": "person", "column": "phone", "owner": "d1"}


@pytest.mark.parametrize("plain", [b"", b"+49 30 1234567", bytes(100_000)], ids=["nothing", "a number", "a document"])
def test_what_was_sealed_opens_again(plain: bytes) -> None:
    sealed = VAULT.seal(plain, **PLACE)
    assert VAULT.open(sealed, **PLACE) == plain
    assert len(sealed) == len(plain) + 29


def test_the_plain_text_is_nowhere_in_the_sealed_bytes() -> None:
    assert b"1234567" not in VAULT.seal(b"+49 30 1234567", **PLACE)


def test_sealing_again_gives_the_same_bytes_so_that_a_replay_does() -> None:
    assert VAULT.seal(b"x", **PLACE) == Vault(bytes(range(32))).seal(b"x", **PLACE)


def test_two_plain_texts_never_share_a_nonce() -> None:
    nonces = {VAULT.seal(str(number).encode(), **PLACE)[1:13] for number in range(5000)}
    assert len(nonces) == 5000


ELSEWHERE = [
    pytest.param({"table": "agency"}, id="another table"),
    pytest.param({"column": "name"}, id="another column"),
    pytest.param({"owner": "d2"}, id="another owner"),
    pytest.param({"table": "perso", "column": "nphone"}, id="the same letters, cut elsewhere"),
]


@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_seal_holds_in_its_own_place_only(change: dict[str, str]) -> None:
    other = PLACE | change
    assert VAULT.seal(b"x", **PLACE) != VAULT.seal(b"x", **other)
    with pytest.raises(SealBroken, match="does not fit"):
        VAULT.open(VAULT.seal(b"x", **PLACE), **other)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealBroken, match="does not fit"):
        Vault(bytes(32)).open(VAULT.seal(b"x", **PLACE), **PLACE)


@pytest.mark.parametrize("position", [0, 1, 12, 13, -1])
def test_one_changed_bit_breaks_the_seal(position: int) -> None:
    sealed = bytearray(VAULT.seal(b"some text", **PLACE))
    sealed[position] ^= 1
    with pytest.raises(SealBroken):
        VAULT.open(bytes(sealed), **PLACE)


@pytest.mark.parametrize("length", [0, 1, 12, 13, 28])
def test_bytes_cut_short_break_the_seal(length: int) -> None:
    with pytest.raises(SealBroken):
        VAULT.open(VAULT.seal(b"some text", **PLACE)[:length], **PLACE)


def test_a_broken_seal_tells_nothing_of_the_person() -> None:
    with pytest.raises(SealBroken) as caught:
        VAULT.open(VAULT.seal(b"x", **PLACE), **PLACE | {"owner": "party-4711"})
    assert "party-4711" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32"):
        Vault(bytes(length))


def test_a_pseudonym_is_stable_and_says_nothing() -> None:
    name = VAULT.pseudonym("bank", "party-4711")
    assert name == VAULT.pseudonym("bank", "party-4711")
    assert len(name) == 32
    assert int(name, 16)


@pytest.mark.parametrize(
    ("lender", "party"),
    [("bank", "party-4712"), ("other", "party-4711"), ("bankp", "arty-4711")],
    ids=["another party", "another lender", "the same letters, cut elsewhere"],
)
def test_pseudonyms_differ_between_people(lender: str, party: str) -> None:
    assert VAULT.pseudonym(lender, party) != VAULT.pseudonym("bank", "party-4711")


def test_pseudonyms_differ_between_keys() -> None:
    assert VAULT.pseudonym("bank", "p") != Vault(bytes(32)).pseudonym("bank", "p")

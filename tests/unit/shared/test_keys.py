"""What the key store promises: one key per debtor, the same for every process, and none once it is forgotten."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.keys import FileKeys, KeyForgottenError, KeysUnavailableError, LocalKms
from shared.service import TryLater

KMS = LocalKms(bytes(range(32)))
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLACE = {"table": "profile", "column": "name", "owner": "anna"}


@pytest.fixture(params=["in memory", "in a file"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> FileKeys:
    return FileKeys(KMS, None if request.param == "in memory" else tmp_path / "folder" / "keys")


def test_a_debtor_has_one_key_however_often_it_is_asked_for(keys: FileKeys) -> None:
    one, again = keys.sealing("anna"), keys.sealing("anna")
    assert one.key_id == again.key_id
    assert again.vault.open(one.vault.seal(b"x", **PLACE), **PLACE) == b"x"
    assert keys.opening("anna", one.key_id).seal(b"x", **PLACE) == one.vault.seal(b"x", **PLACE)


def test_two_debtors_have_two_keys_that_are_random(keys: FileKeys, tmp_path: Path) -> None:
    found = [keys.sealing("anna"), keys.sealing("ben"), FileKeys(KMS, tmp_path / "other").sealing("anna")]
    assert len({each.key_id for each in found}) == 3
    assert len({each.vault.seal(b"x", **PLACE) for each in found}) == 3


def test_what_is_forgotten_is_opened_by_nobody(keys: FileKeys) -> None:
    key, other = keys.sealing("anna"), keys.sealing("ben")
    keys.forget("anna", AT)
    with pytest.raises(KeyForgottenError):
        keys.opening("anna", key.key_id)
    assert (keys.forgotten_at("anna"), keys.forgotten_at("ben")) == (AT, None)
    keys.opening("ben", other.key_id)


def test_after_a_debtor_was_forgotten_there_is_another_key_which_opens_nothing_of_before(keys: FileKeys) -> None:
    before = keys.sealing("anna")
    keys.forget("anna", AT)
    after = keys.sealing("anna")
    assert after.key_id != before.key_id
    with pytest.raises(KeyForgottenError):
        keys.opening("anna", before.key_id)


@pytest.mark.parametrize(
    ("again_at", "stays"),
    [
        pytest.param(AT, True, id="the same erasure, asked for again after a crash"),
        pytest.param(AT - timedelta(days=1), True, id="an older one"),
        pytest.param(AT + timedelta(seconds=1), False, id="a new one"),
    ],
)
def test_one_erasure_destroys_one_key(keys: FileKeys, again_at: datetime, stays: bool) -> None:  # noqa: FBT001
    keys.forget("anna", AT)
    key = keys.sealing("anna")
    keys.forget("anna", again_at)
    assert (keys.sealing("anna").key_id == key.key_id) is stays


def test_another_process_has_the_same_keys_and_forgets_with_us(tmp_path: Path) -> None:
    one, other = (FileKeys(KMS, tmp_path / "keys") for _ in range(2))
    key = one.sealing("anna")
    assert other.sealing("anna").key_id == key.key_id
    other.forget("anna", AT)
    with pytest.raises(KeyForgottenError):
        one.opening("anna", key.key_id)


def test_the_file_holds_no_key_in_clear_and_no_wrapped_one_after_it_was_forgotten(tmp_path: Path) -> None:
    drawn: list[bytes] = []

    def fresh(length: int) -> bytes:
        drawn.append(bytes([len(drawn) + 65]) * length)
        return drawn[-1]

    keys = FileKeys(KMS, tmp_path / "keys", fresh)
    keys.sealing("anna")
    [(wrapped,)] = keys._opened().execute("SELECT wrapped FROM data_key").fetchall()
    assert drawn[1] not in bytes_below(tmp_path)
    assert wrapped in bytes_below(tmp_path)
    keys.forget("anna", AT)
    assert wrapped not in bytes_below(tmp_path)


def bytes_below(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    FileKeys(KMS, tmp_path / "keys").sealing("anna")
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def broken(folder: Path) -> FileKeys:
    (folder / "keys").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    return FileKeys(KMS, folder / "keys")


def wrapped_by_another(folder: Path) -> FileKeys:
    FileKeys(LocalKms(bytes(32)), folder / "keys").sealing("anna")
    return FileKeys(KMS, folder / "keys")


def in_no_folder(folder: Path) -> FileKeys:
    (folder / "file").write_bytes(b"")
    return FileKeys(KMS, folder / "file" / "keys")


@pytest.mark.parametrize("made", [broken, wrapped_by_another, in_no_folder])
def test_a_store_that_does_not_answer_is_no_fault_of_an_event(made: Callable[[Path], FileKeys], tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailableError) as error:
        made(tmp_path).sealing("anna")
    assert isinstance(error.value, TryLater)

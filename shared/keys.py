"""Where the data keys of debtors lie: one random key each, wrapped, and forgotten for good when a debtor is erased.

What is sealed under a data key can be opened by who may ask the key store, and once the store has forgotten, by nobody:
not from a topic, an outbox, a dead letter or a copy. docs/decisions/0021-a-data-key-per-debtor.md says why so.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.service import TryLater
from shared.vault import KEY_BYTES, Vault

_KEY_ID_BYTES = 8
_NONCE_BYTES = 12


class KeyForgottenError(Exception):
    """There is no such data key, or no more: what was sealed under it cannot be opened by anybody."""


class KeysUnavailableError(TryLater):
    """The key store does not answer, or its keys are wrapped by another key-encryption key: nothing may be decided."""


class Kms(Protocol):
    """Wraps and unwraps data keys under a key-encryption key that never leaves it."""

    def wrap(self, key: bytes, name: str) -> bytes:
        """Encrypt a data key, for this name only."""

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Decrypt it again. Raises KeysUnavailableError where it was wrapped otherwise."""


@dataclass(frozen=True, slots=True)
class LocalKms:
    """The key-encryption key in this process's memory, from its settings: for demos, and where there is no KMS."""

    key: bytes = field(repr=False)

    def wrap(self, key: bytes, name: str) -> bytes:
        """Encrypt a data key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, key, name.encode())

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Decrypt it."""
        try:
            return AESGCM(self.key).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name.encode())
        except InvalidTag:
            raise KeysUnavailableError("the data keys are wrapped by another key-encryption key") from None


@dataclass(frozen=True, slots=True)
class DataKey:
    """A debtor's data key, as what it is good for."""

    key_id: str
    vault: Vault


class KeyStore(Protocol):
    """One data key per debtor. Every method raises KeysUnavailableError where the store does not answer."""

    def sealing(self, debtor_id: str) -> DataKey:
        """The debtor's key, which is made and kept at the first asking."""

    def opening(self, debtor_id: str, key_id: str) -> Vault:
        """What opens the fields sealed under a key. Raises KeyForgottenError."""

    def forget(self, debtor_id: str, at: datetime) -> None:
        """Destroy the debtor's key, once for each instant; what is sealed for the debtor later gets another key."""

    def forgotten_at(self, debtor_id: str) -> datetime | None:
        """As of when the debtor was forgotten last, None if never."""


_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS data_key (debtor_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, wrapped BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (debtor_id TEXT PRIMARY KEY, at TEXT NOT NULL);
"""
_KEY = "SELECT key_id, wrapped FROM data_key WHERE debtor_id = ?"
_NEW_KEY = "INSERT INTO data_key (debtor_id, key_id, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FORGOTTEN = "SELECT at FROM forgotten WHERE debtor_id = ?"
_FORGET = "INSERT INTO forgotten (debtor_id, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at"
_MEMORY = ":memory:"


class FileKeys:
    """Data keys in a file that all processes of one machine share; `None` is a store in memory, for tests.

    Nothing is cached: another process may have forgotten a key a moment ago.
    """

    def __init__(self, kms: Kms, file: Path | None = None, fresh: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._kms, self._file, self._fresh = kms, file, fresh
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def sealing(self, debtor_id: str) -> DataKey:
        """The debtor's key; of two processes that make one at a time, both get the one that was first."""
        with self._answering() as connection:
            found = connection.execute(_KEY, (debtor_id,)).fetchone()
            if found is None:
                key_id, key = self._fresh(_KEY_ID_BYTES).hex(), self._fresh(KEY_BYTES)
                connection.execute(_NEW_KEY, (debtor_id, key_id, self._kms.wrap(key, _name(debtor_id, key_id))))
                found = connection.execute(_KEY, (debtor_id,)).fetchone()
        key_id, wrapped = found
        return DataKey(key_id, Vault(self._kms.unwrap(wrapped, _name(debtor_id, key_id))))

    def opening(self, debtor_id: str, key_id: str) -> Vault:
        """What opens the debtor's fields."""
        with self._answering() as connection:
            found = connection.execute(_KEY, (debtor_id,)).fetchone()
        if found is None or found[0] != key_id:
            raise KeyForgottenError("the data key is not there any more")
        return Vault(self._kms.unwrap(found[1], _name(debtor_id, key_id)))

    def forget(self, debtor_id: str, at: datetime) -> None:
        """Destroy the key, and overwrite where it lay."""
        with self._answering() as connection:
            connection.execute("BEGIN IMMEDIATE")
            known = self._forgotten(connection, debtor_id)
            if known is None or known < at:
                connection.execute("DELETE FROM data_key WHERE debtor_id = ?", (debtor_id,))
                connection.execute(_FORGET, (debtor_id, at.isoformat()))
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def forgotten_at(self, debtor_id: str) -> datetime | None:
        """As of when the debtor was forgotten last."""
        with self._answering() as connection:
            return self._forgotten(connection, debtor_id)

    @staticmethod
    def _forgotten(connection: sqlite3.Connection, debtor_id: str) -> datetime | None:
        found = connection.execute(_FORGOTTEN, (debtor_id,)).fetchone()
        return None if found is None else datetime.fromisoformat(found[0])

    def close(self) -> None:
        """Close the file; the next asking opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _answering(self) -> Iterator[sqlite3.Connection]:
        """The connection, open; whatever is wrong with it is no fault of the event at hand."""
        try:
            yield self._opened()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise KeysUnavailableError(f"the key store does not answer: {type(error).__name__}") from None

    def _opened(self) -> sqlite3.Connection:
        """A connection of this very process: one that came through a fork may not be used."""
        if self._connection is None or (self._file is not None and self._process != os.getpid()):
            self._connection, self._process = self._connect(), os.getpid()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
        place = _MEMORY if self._file is None else str(self._file)
        connection = sqlite3.connect(place, timeout=10, isolation_level=None, check_same_thread=False)
        connection.executescript(_SCHEMA)
        return connection


def _name(debtor_id: str, key_id: str) -> str:
    return f"{debtor_id}/{key_id}"


@cache
def keys_of(key: bytes, file: Path | None) -> FileKeys:
    """The store under a key-encryption key, one per file and process; in memory where there is no file."""
    return FileKeys(LocalKms(key), file)

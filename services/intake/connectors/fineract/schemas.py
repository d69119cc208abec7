"""The Avro schemas that a bank's Fineract writes with, found by their fingerprints.

A release of Fineract ships its schemas as `.avsc` files (the jar `fineract-avro-schemas`). Names are reused for changed
schemas, so a bank that has upgraded gives the folders of both releases, and the fingerprint in front of each message
says which one it was written with.
"""

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro
from fastavro.schema import SchemaParseException, fingerprint, to_parsing_canonical_form

from shared.service import Rejected

SINGLE_OBJECT: Final = b"\xc3\x01"
"""What a value of Avro's single-object encoding begins with; eight bytes of fingerprint follow."""

_HEAD: Final = 10
_DECIMAL: Final = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 8}
_PRIMITIVE: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class SchemaFolderError(ValueError):
    """A folder holds no schemas that can be used; the text is one line for the person who named it."""


class Decoded(NamedTuple):
    """A record and the full name of the schema that it was written with."""

    name: str
    record: Mapping[str, Any]


class Schemas:
    """The schemas of one or more releases, by fingerprint."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Read every `.avsc` below the folders. Raises SchemaFolderError."""
        self._known: dict[bytes, tuple[str, Any]] = {}
        for folder in folders:
            self._add(_Release(folder))

    def __len__(self) -> int:
        return len(self._known)

    def decoded(self, data: bytes, field: str = "") -> Decoded:
        """Read one value in single-object encoding, all of it. Raises Rejected; `field` is where it stands."""
        if not data.startswith(SINGLE_OBJECT) or len(data) < _HEAD:
            raise Rejected("is not in Avro's single-object encoding", field=field)
        found = self._known.get(data[2:_HEAD])
        if found is None:
            shown = data[2:_HEAD][::-1].hex()
            raise Rejected(f"was written with a schema that is not known here (fingerprint {shown})", field=field)
        name, schema = found
        return Decoded(name, _record(schema, data[_HEAD:], field))

    def _add(self, release: "_Release") -> None:
        for name in release.sources:
            schema = release.whole(name)
            if schema is None:
                continue
            canonical = to_parsing_canonical_form(schema)
            key = bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
            self._known.setdefault(key, (name, fastavro.parse_schema(schema)))


def _record(schema: Any, body: bytes, field: str) -> Mapping[str, Any]:
    reader = BytesIO(body)
    try:
        record = fastavro.schemaless_reader(reader, schema, None)
    except Exception:  # noqa: BLE001  # the reader raises whatever its bytes lead it to, and its text may quote them
        raise Rejected("does not keep to its schema", field=field) from None
    if reader.tell() != len(body):
        raise Rejected("is longer than its schema says", field=field)
    if not isinstance(record, dict):
        raise Rejected("is no record", field=field)
    return record


class _Release:
    """The schemas of one folder, by full name, as they stand in their files."""

    def __init__(self, folder: Path) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        for file in sorted(folder.rglob("*.avsc")):
            source = _source(file)
            if source.get("type") == "record":
                self.sources[_full_name(source["name"], source.get("namespace", ""))] = source
        if not self.sources:
            raise SchemaFolderError(f"{folder}: holds no Avro schemas (*.avsc)")

    def whole(self, name: str) -> Any | None:
        """A schema with all that it refers to, each written out where it is first met; None where one is missing."""
        try:
            schema = self._inlined(name, "", set())
            fastavro.parse_schema(schema)
        except (KeyError, SchemaParseException, RecursionError):
            return None
        return schema

    def _inlined(self, schema: Any, namespace: str, met: set[str]) -> Any:
        if isinstance(schema, str):
            return self._named(schema, namespace, met)
        if isinstance(schema, list):
            return [self._inlined(each, namespace, met) for each in schema]
        if schema.get("type") == "record":
            return self._with_fields(schema, schema.get("namespace", namespace), met)
        inner = {key: self._inlined(schema[key], namespace, met) for key in ("items", "values") if key in schema}
        return {**schema, **inner}

    def _named(self, name: str, namespace: str, met: set[str]) -> Any:
        if name in _PRIMITIVE:
            return name
        if name == "bigdecimal":  # Fineract's own word in its files, replaced when it is built
            return dict(_DECIMAL)
        full = _full_name(name, namespace)
        if full in met:
            return full
        return self._inlined(self.sources[full], namespace, met)

    def _with_fields(self, schema: Mapping[str, Any], namespace: str, met: set[str]) -> dict[str, Any]:
        met.add(_full_name(schema["name"], namespace))
        fields = [{**each, "type": self._inlined(each["type"], namespace, met)} for each in schema["fields"]]
        return {**schema, "fields": fields}


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _source(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise SchemaFolderError(f"{file}: is no Avro schema") from None
    if not isinstance(found, dict):
        raise SchemaFolderError(f"{file}: is no Avro schema")
    return found

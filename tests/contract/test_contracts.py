"""Contracts grow and never change: one golden example per type and version holds each of them to that."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from shared.contracts import catalogue, core_banking, generate
from shared.contracts.envelope import Event, Fact

Json = dict[str, Any]
TYPES = {name: (topic, fact) for topic, facts in catalogue.TOPICS.items() for name, fact in facts.items()}
EVERY_TYPE = pytest.mark.parametrize("name", sorted(TYPES))


def lost(golden: Any, again: Any, place: str = "") -> list[str]:
    """The places of a golden example whose value did not come back; fields that were added since are no loss."""
    if isinstance(golden, dict) and isinstance(again, dict):
        missing = [f"{place}.{key}" for key in golden if key not in again]
        kept = [key for key in golden if key in again]
        return missing + [found for key in kept for found in lost(golden[key], again[key], f"{place}.{key}")]
    if isinstance(golden, list) and isinstance(again, list) and len(golden) == len(again):
        pairs = enumerate(zip(golden, again, strict=True))
        return [found for n, (one, other) in pairs for found in lost(one, other, f"{place}.{n}")]
    return [] if golden == again and type(golden) is type(again) else [place]


def decoded(example: bytes, fact: type[Fact], *, public: bool) -> Any:
    """The typed event of an example; on the public topic the payload inside of its CloudEvent."""
    if public:
        return msgspec.json.decode(json.dumps(json.loads(example)["data"]), type=fact)
    return msgspec.json.decode(example, type=Event[fact])  # type: ignore[valid-type]  # the type is looked up


def broken_by(example: bytes, fact: type[Fact], *, public: bool) -> list[str]:
    """What of a golden example a type no longer understands; empty for a contract that was kept."""
    try:
        again = json.loads(msgspec.json.encode(decoded(example, fact, public=public)))
    except msgspec.DecodeError as error:
        return [str(error)]
    golden = json.loads(example)
    return lost(golden["data"] if public else golden, again)


def changed(fact: type[Fact], *, without: str, instead: str | None = None) -> type[Fact]:
    """The type as a careless person would leave it: with a field removed, or renamed."""
    hints = get_type_hints(fact, include_extras=True)
    defaults = {field.name: field.default for field in msgspec.structs.fields(fact)}
    named = {name: instead if name == without else name for name in fact.__struct_fields__}
    fields = [
        (new, hints[old]) if defaults[old] is msgspec.NODEFAULT else (new, hints[old], defaults[old])
        for old, new in named.items()
        if new is not None
    ]
    made: type[Fact] = msgspec.defstruct(fact.__name__, fields, bases=(msgspec.Struct,), kw_only=True)  # type: ignore[assignment]
    return made


def is_public(name: str) -> bool:
    """Whether a type travels on the bank's topic, in a CloudEvent."""
    return TYPES[name][0] == core_banking.TOPIC


@EVERY_TYPE
def test_the_golden_example_is_understood_whole(name: str) -> None:
    example = generate.example_of(name)
    assert json.loads(example)["type"] == name
    assert broken_by(example, TYPES[name][1], public=is_public(name)) == []


@EVERY_TYPE
def test_the_golden_example_shows_every_field(name: str) -> None:
    golden = json.loads(generate.example_of(name))
    event = decoded(generate.example_of(name), TYPES[name][1], public=is_public(name))
    again = json.loads(msgspec.json.encode(event))
    assert again == (golden["data"] if is_public(name) else golden)


@pytest.mark.parametrize("name", sorted(name for name in TYPES if not is_public(name)))
def test_the_catalogue_decodes_and_encodes_the_same_json(name: str) -> None:
    example = generate.example_of(name)
    event = catalogue.decode(example)
    assert event is not None
    assert type(event.data) is TYPES[name][1]
    assert json.loads(catalogue.encode(event)) == json.loads(example)
    assert catalogue.decode(example, name) == event


@EVERY_TYPE
def test_unknown_fields_are_ignored(name: str) -> None:
    golden = json.loads(generate.example_of(name))
    more = json.dumps(_with_strangers(golden)).encode()
    fact, public = TYPES[name][1], is_public(name)
    assert decoded(more, fact, public=public) == decoded(json.dumps(golden).encode(), fact, public=public)


def _with_strangers(value: Any, place: str = "") -> Any:
    if isinstance(value, dict):
        known = {key: _with_strangers(inner, key) for key, inner in value.items()}
        # The inputs of an explanation, and what a rule read, are names and values of any kind: none is strange.
        return known if place in {"inputs", "read"} else {**known, "from_the_future": {"n": 1}}
    if isinstance(value, list):
        return [_with_strangers(inner) for inner in value]
    return value


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in sorted(TYPES) for field in TYPES[name][1].__struct_fields__]
)
@pytest.mark.parametrize("instead", [pytest.param(None, id="removed"), pytest.param("renamed", id="renamed")])
def test_a_field_that_is_removed_or_renamed_is_noticed(name: str, field: str, instead: str | None) -> None:
    broken = changed(TYPES[name][1], without=field, instead=instead)
    assert broken_by(generate.example_of(name), broken, public=is_public(name))


@EVERY_TYPE
def test_the_same_type_made_anew_is_not_broken(name: str) -> None:
    same = changed(TYPES[name][1], without="nothing")
    assert broken_by(generate.example_of(name), same, public=is_public(name)) == []


def test_a_field_that_is_added_breaks_nothing() -> None:
    grown = msgspec.defstruct("Grown", [("letter_id", str), ("service", str), ("more", str, "")], kw_only=True)
    example = generate.example_of("quarantine.debtor-released.v1")
    assert broken_by(example, grown, public=False) == []  # type: ignore[arg-type]  # a struct made here


def test_every_example_is_of_a_known_type() -> None:
    assert {path.stem for path in generate.EXAMPLES.iterdir()} == set(TYPES)


def test_each_wire_name_belongs_to_one_type_and_says_its_version() -> None:
    pairs: set[tuple[str, type]] = {(name, fact) for facts in catalogue.TOPICS.values() for name, fact in facts.items()}
    assert len({name for name, _ in pairs}) == len(pairs) == len({fact for _, fact in pairs})
    assert all(name.rpartition(".v")[2].isdecimal() for name, _ in pairs)


def test_the_generated_files_are_up_to_date() -> None:
    root = Path(__file__).parents[2] / generate.API
    assert generate.out_of_date(generate.contract_files(), root, generate.OWNED) == []


@EVERY_TYPE
def test_the_schema_requires_what_the_type_requires(name: str) -> None:
    fact = TYPES[name][1]
    schema = generate.schema_of(fact, public=is_public(name))
    payload: Mapping[str, Any] = schema if is_public(name) else schema["$defs"][fact.__name__]
    required = {field.encode_name for field in msgspec.structs.fields(fact) if field.required}
    assert set(payload.get("required", ())) == required
    assert "additionalProperties" not in payload


def test_asyncapi_points_at_files_and_messages_that_are_there() -> None:
    files = generate.contract_files()
    document = files[Path("asyncapi.json")]
    messages = document["components"]["messages"]
    assert set(document["channels"]) == set(catalogue.TOPICS)
    for channel in document["channels"].values():
        assert {reference["$ref"].rpartition("/")[2] for reference in channel["messages"].values()} <= set(messages)
    references = {_schema_reference(message["payload"]) for message in messages.values()}
    assert {Path(reference) for reference in references} == set(files) - {Path("asyncapi.json")}


def _schema_reference(payload: Json) -> str:
    found: str = payload["$ref"] if "$ref" in payload else payload["properties"]["data"]["$ref"]
    return found


def test_check_names_what_is_out_of_date_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {Path("asyncapi.json"): {"asyncapi": "3.0.0"}}
    arguments = ["--root", str(tmp_path)]
    assert generate.run(files, generate.OWNED, ["--check", *arguments]) == 1
    assert "asyncapi.json" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert generate.run(files, generate.OWNED, arguments) == 0
    assert generate.run(files, generate.OWNED, ["--check", *arguments]) == 0


def test_a_file_that_is_no_longer_made_is_found_and_removed(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    gone = tmp_path / "schemas" / "intake.forgotten.v1.json"
    gone.write_text("{}")
    assert generate.run({}, generate.OWNED, ["--check", "--root", str(tmp_path)]) == 1
    assert generate.run({}, generate.OWNED, ["--root", str(tmp_path)]) == 0
    assert not gone.exists()

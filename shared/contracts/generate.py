"""Write what the contracts say in the languages of others: AsyncAPI, JSON Schema, OpenAPI.

    python -m shared.contracts.generate [--check]

`--check` writes nothing, names the files that are out of date, and ends with 1 where there are any.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from shared.contracts import catalogue, core_banking, outreach, schemas
from shared.contracts.envelope import Event, Fact

API = Path("docs/api")
EXAMPLES = Path(__file__).parent / "examples"

PRODUCERS: Mapping[str, str] = {
    core_banking.TOPIC: "core banking",
    outreach.ALLOCATIONS: "outreach",
}
"""Who tells on a topic, where its name does not begin with it."""

Json = dict[str, Any]


class Described(Protocol):
    """What the generator needs of a service: its name. `shared` knows no service by itself."""

    @property
    def name(self) -> str: ...


def example_of(name: str) -> bytes:
    """The golden example of a type, by its wire name."""
    return (EXAMPLES / f"{name}.json").read_bytes()


def schema_of(fact: type[Fact], *, public: bool) -> Json:
    """The JSON Schema of a type: the payload alone on the public topic, else the event with its envelope."""
    whole: Any = fact if public else Event[fact]  # type: ignore[valid-type]  # the type is looked up
    (schema,), definitions = msgspec.json.schema_components([whole], ref_template="#/$defs/{name}")
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    body = definitions.pop(name) if name in definitions else schema
    if not public:
        body["properties"]["type"] = {"const": catalogue.wire_name(fact)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": catalogue.wire_name(fact),
        "description": _sentence(fact),
        **{key: value for key, value in body.items() if key not in {"title", "description"}},
        **({"$defs": dict(sorted(definitions.items()))} if definitions else {}),
    }


def asyncapi() -> Json:
    """Every topic with its messages, as AsyncAPI 3.0."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fairdue events",
            "version": "1",
            "description": "Contracts grow and never change: readers ignore fields that they do not know.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, facts) for topic, facts in catalogue.TOPICS.items()},
        "components": {"messages": dict(sorted(_messages().items()))},
    }


def _channel(topic: str, facts: Mapping[str, type[Fact]]) -> Json:
    return {
        "address": topic,
        "description": f"Told by {PRODUCERS.get(topic, topic.partition('.')[0])}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in facts},
    }


def _messages() -> dict[str, Json]:
    return {
        name: {
            "name": name,
            "summary": _sentence(fact),
            "contentType": "application/cloudevents+json" if topic == core_banking.TOPIC else "application/json",
            "payload": _payload(topic, name),
            "examples": [{"payload": json.loads(example_of(name))}],
        }
        for topic, facts in catalogue.TOPICS.items()
        for name, fact in facts.items()
    }


def _payload(topic: str, name: str) -> Json:
    schema: Json = {"$ref": f"schemas/{name}.json"}
    if topic != core_banking.TOPIC:
        return schema
    return schemas.cloud_event(name, schema)


def _sentence(fact: type[Fact]) -> str:
    return (fact.__doc__ or "").strip().partition("\n")[0]


def contract_files() -> dict[Path, Json]:
    """What follows from the catalogue of events, by path below `docs/api`."""
    schemas = {
        Path("schemas") / f"{name}.json": schema_of(fact, public=topic == core_banking.TOPIC)
        for topic, facts in catalogue.TOPICS.items()
        for name, fact in facts.items()
    }
    return {Path("asyncapi.json"): asyncapi(), **schemas}


def openapi_files(descriptions: Iterable[tuple[Described, Json]]) -> dict[Path, Json]:
    """One OpenAPI file per service, from what each service's application says of itself."""
    return {Path(f"openapi-{service.name}.json"): description for service, description in descriptions}


def out_of_date(files: Mapping[Path, Json], root: Path, owned: Iterable[str]) -> list[Path]:
    """The files that are missing or differ, and those that match a pattern in `owned` but are no longer made."""
    stale = [path for path, content in files.items() if _read(root / path) != _text(content)]
    made = {root / path for path in files}
    gone = [path.relative_to(root) for pattern in owned for path in root.glob(pattern) if path not in made]
    return sorted({*stale, *gone})


def write(files: Mapping[Path, Json], root: Path, owned: Iterable[str]) -> list[Path]:
    """Bring the files up to date, and return those that were not."""
    stale = out_of_date(files, root, owned)
    for path in stale:
        if path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(_text(files[path]), encoding="utf-8")
        else:
            (root / path).unlink()
    return stale


def run(files: Mapping[Path, Json], owned: Iterable[str], arguments: list[str] | None = None) -> int:
    """The command line over a set of files: 0, or 1 where `--check` found some out of date."""
    parser = argparse.ArgumentParser(description="Write the generated descriptions below docs/api.")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is out of date")
    parser.add_argument("--root", type=Path, default=API, help="where the files lie (docs/api)")
    options = parser.parse_args(arguments)
    stale = (out_of_date if options.check else write)(files, options.root, owned)
    for path in stale:
        sys.stdout.write(f"{'out of date' if options.check else 'written'}: {options.root / path}\n")
    return 1 if options.check and stale else 0


OWNED = ("asyncapi.json", "schemas/*.json")


def _text(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(run(contract_files(), OWNED))

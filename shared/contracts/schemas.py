"""The bank's events in JSON Schema: one CloudEvent, and what may be posted at once."""

from typing import Any

import msgspec

from shared.contracts import catalogue, core_banking
from shared.contracts.envelope import Fact

Json = dict[str, Any]
_REFERENCE = "#/components/schemas/"


def cloud_event(name: str, data: Json) -> Json:
    """An event of a type in structured mode, around the schema of its data."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"const": name},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": data,
        },
    }


def posted(most: int) -> Json:
    """One event of any type, or an array of up to `most`; what it refers to stands in `$defs`, for the components."""
    facts = list(core_banking.EVENTS.values())
    data, definitions = msgspec.json.schema_components(facts, ref_template=_REFERENCE + "{name}")
    events = {f"{fact.__name__}Event": _posted(fact, each) for fact, each in zip(facts, data, strict=True)}
    any_event = {"anyOf": [{"$ref": _REFERENCE + name} for name in events]}
    return {
        "anyOf": [
            {"$ref": f"{_REFERENCE}PostedEvent"},
            {"type": "array", "minItems": 1, "maxItems": most, "items": {"$ref": f"{_REFERENCE}PostedEvent"}},
        ],
        "$defs": {**definitions, **events, "PostedEvent": any_event},
    }


def _posted(fact: type[Fact], data: Json) -> Json:
    """As read over REST: an empty time and any kind of JSON are taken, an id or a source of nothing is not."""
    event = cloud_event(catalogue.wire_name(fact), data)
    named = {"type": "string", "minLength": 1, "maxLength": 1_024}
    text = {"type": "string"}
    event["properties"] |= {"id": named, "source": named, "time": text, "datacontenttype": text}
    return event

"""Schemathesis against a running service, as one of its callers: what it asked, and what was wrong with the answers."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import StopReason, events, from_schema

from tests.integration.live.process import TOKENS, Product

Look: TypeAlias = Callable[[str, Any], None]
"""Is shown the operation and the answer."""

NOBODY, BANK = "nobody", "core_bank"
FOR_THE_BANK_ALONE = {"include-name": "POST /v1/loan-events", "phases": {"coverage": {"enabled": False}}}
"""Its body has so many parts that a refusal for each of them takes longer than all the rest."""

SEED = 20_260
EXAMPLES = os.environ.get("FAIRDUE_API_EXAMPLES")
"""How many examples per operation and phase; a few for CI, more by `make fuzz-api`."""

SECONDS = 12 * 3600 if EXAMPLES else 170
"""Longer than a test may take; on two idle cores all of them together take less."""

EXCUSED: dict[tuple[str, str], str] = {
    ("invalid-input", "after"): "a cursor is opaque: that only one we gave is taken, no schema can say",
    ("invalid-input", "content"): "that a content is what its media type says, no schema can say",
    ("invalid-input", "from_month"): "that one month must not be after another, no schema can say",
    ("invalid-event", ""): "dates of no loan, an instalment twice, control characters: rules across an event",
    ("key-already-used", ""): "whether a key was used depends on what was asked before",
}
"""Kinds of problem, and their fields ("" for any), with which a request that fits its schema may be refused."""


NEEDS_A_LETTER = {
    "GET /v1/dead-letters/{letter_id}",
    "GET /v1/debtors/{debtor_id}/letters/{contact_id}",
    "GET /v1/debtors/{debtor_id}/documents/{document_id}",
    "GET /v1/agency",
}
"""What can be read only where something went wrong, or something was printed or filed, or by an agency."""

FOR_AGENCIES = "GET /v1/agency/"
"""How reads begin that are for agencies alone."""


@dataclass
class Fuzzed:
    """What came of it."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: dict[tuple[str, str], str] = field(default_factory=dict)
    stopped: StopReason | None = None

    @property
    def asked(self) -> int:
        return sum(self.statuses.values())

    def codes(self) -> dict[int, int]:
        """How many answers of each status."""
        counted: Counter[int] = Counter()
        for (_, code), number in self.statuses.items():
            counted[code] += number
        return dict(sorted(counted.items()))

    def unreached(self) -> set[str]:
        """The questions that never got an answer but refusals: of those, nothing is known."""
        answered = {operation for operation, code in self.statuses if code == 200}
        asked = {operation for operation, _ in self.statuses if operation.startswith("GET ")}
        return {operation for operation in asked - answered if not operation.startswith(FOR_AGENCIES)}


def fuzzed(schema: Any, look: Look | None = None) -> Fuzzed:
    """Ask everything that a description offers, well and badly; `look` is shown every answer."""
    found = Fuzzed()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _take(found, event, look)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.wrong["schemathesis", type(event).__name__] = str(event)
        elif isinstance(event, events.EngineFinished):
            found.stopped = event.stop_reason
    return found


def schema_at(url: str, token: str, examples: int, known: Mapping[str, Sequence[str]], **more: Any) -> Any:
    """A service's own description, to be asked for with a token; `known` are ids as `known_ids` takes them."""
    settings: dict[str, Any] = {
        "seed": SEED,
        "cache": {"enabled": False},
        "base-url": url,
        "request-timeout": 60,
        "continue-on-failure": True,
        "generation": {"max-examples": int(EXAMPLES or examples), "deterministic": not EXAMPLES},
        "phases": {"stateful": {"enabled": bool(EXAMPLES)}},
        **known_ids(known),
        **more,
    }
    if token:
        settings["auth"] = {"openapi": {"HTTPBearer": {"bearer": token}}}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=SchemathesisConfig.from_dict(settings))
    schema.hook(filter_failure)
    return schema


def _schema(product: Product, service: str, role: str, examples: int) -> Any:
    return schema_at(
        product.url(service, ""),
        "" if role == NOBODY else TOKENS[role],
        examples,
        _ids_of(product, service),
        phases={"stateful": {"enabled": bool(EXAMPLES) or examples > 1}},
        operations=[] if role == BANK else [FOR_THE_BANK_ALONE],
    )


def _ids_of(product: Product, service: str) -> dict[str, list[str]]:
    """The ids that a running product has."""
    cases = product.get("intake", "/v1/cases").json()["items"]
    letters = product.get(service, "/v1/dead-letters").json()["items"]
    known = {
        "path.debtor_id": [case["debtor_id"] for case in cases[:5]],
        "path.letter_id": [letter["id"] for letter in letters],
        "path.kind": ["lane", "ingress", "allocator", "publisher", "register", "webhooks"],
    }
    if service == "outreach":
        known["path.agency_id"] = [one["agency_id"] for one in product.get(service, "/v1/agencies").json()]
    return known


def known_ids(known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Ids that are there, by where they go, to be asked for more often than not: made-up ones only find nothing."""
    there = {place: list(values) for place, values in known.items() if values}
    names = {place: place.replace(".", "_") for place in there}
    return {
        "dictionaries": {names[place]: {"values": values} for place, values in there.items()},
        "parameters": {place: {"dictionary": names[place], "probability": 0.6} for place in there},
    }


def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one: a refusal may be excused, an error of the server or a wrong form never."""
    return not (type(failure).__name__ == "RejectedPositiveData" and _is_excused(response))


def _is_excused(response: Any) -> bool:
    if response.status_code == 400:  # RFC 6749's form: what is signed, and by whom, no schema can say
        return "error_description" in json.loads(response.content)
    if response.status_code != 422:
        return False
    problem = json.loads(response.content)
    kind = problem["type"].removeprefix("urn:fairdue:problem:")
    return (kind, problem.get("field")) in EXCUSED or (kind, "") in EXCUSED


def _take(found: Fuzzed, event: events.ScenarioFinished, look: Look | None) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is not None:
            case = recorder.cases.get(case_id)
            label = case.value.operation.label if case else recorder.label or ""
            found.statuses[label, interaction.response.status_code] += 1
            if look is not None:
                look(label, interaction.response)
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                text = f"{failure.title}: {failure.message}\n{check.failure_info.code_sample}"
                found.wrong.setdefault((recorder.label or "", check.name), text)


CALLERS = ("supervisor", "operator", BANK, "agency", NOBODY)


def examples_for(service: str, role: str) -> int:
    """How many examples for each operation: who is refused everywhere needs few."""
    if role == BANK and service == "intake":
        return 4
    return {"supervisor": 8, "operator": 2}.get(role, 1)


def check_answers(product: Product, service: str, role: str) -> None:
    """Fuzz a service as a role, and fail with the first request of each kind that went wrong."""
    found = fuzzed(_schema(product, service, role, examples_for(service, role)))
    check_form(found, f"{service} as {role}")
    if role == "supervisor":
        assert found.unreached() <= NEEDS_A_LETTER


def check_form(found: Fuzzed, what: str) -> None:
    """Fail with the first request of each kind that was answered otherwise than described."""
    codes = found.codes()
    print(f"{what}: {found.asked} requests, {codes}")  # noqa: T201
    assert found.wrong == {}, "\n\n".join(f"{where}\n{what}" for where, what in found.wrong.items())
    assert found.stopped is StopReason.COMPLETED
    assert max(codes) < 500

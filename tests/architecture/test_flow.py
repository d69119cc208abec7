"""`services/flow.py` says what the services declare; the published language is spoken and heard as it is written."""

import ast
import importlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from services.flow import BANK, FLOW, Stop
from services.installed import declared
from services.outreach.allocator.handlers import LaneClosed
from shared.contracts import catalogue, core_banking, ingress, intake, quarantine
from shared.contracts.envelope import Fact
from shared.service import ActorKind, Service
from shared.settings import PERSONAL, Settings

ROOT = Path(__file__).parents[2]
SERVICES = declared(Settings.demo())
KINDS = [(service.name, kind) for service in SERVICES for kind in service.actors]

MADE_BY_A_DECODER: Mapping[type, str] = {
    ingress.ProfileReceived: "the edge seals personal data before anything else sees it",
    LaneClosed: "the allocator names the lane that an event without a debtor came on",
}
"""What a kind handles although it does not travel on its inputs, and why."""

TOLD_BY_OTHERS: Mapping[type, str] = {
    **dict.fromkeys(core_banking.EVENTS.values(), "the bank tells it"),
    ingress.ProfileReceived: "the edge's decoder makes it, and its handler passes it on",
    ingress.EventRefused: "the runtime tells it, as intake's edge declares",
    ingress.RefusalResolved: "the runtime tells it, as intake's edge declares",
    quarantine.DebtorQuarantined: "the runtime tells it for every service",
    quarantine.DebtorReleased: "the runtime tells it for every service",
}
"""What no handler tells, and who does."""


def stops(services: Iterable[Service]) -> tuple[Stop, ...]:
    return tuple(
        Stop(service.name, kind.name, kind.inputs, kind.output, kind.reach)
        for service in services
        for kind in service.actors
    )


def tellers(kinds: Iterable[tuple[str, ActorKind]]) -> Counter[str]:
    return Counter(kind.output for _, kind in kinds if kind.output)


def unheard(kind: ActorKind, topics: Mapping[str, Mapping[str, type[Fact]]]) -> list[str]:
    """The facts that a kind handles and that travel on none of its inputs."""
    heard = {fact for topic in kind.inputs for fact in topics[topic].values()} | set(MADE_BY_A_DECODER)
    handled = [*kind.handlers, *kind.on_lane]
    return sorted(each.__name__ for each in handled if issubclass(each, Fact) and each not in heard)


def handler_modules() -> list[Path]:
    services = ROOT / "services"
    return sorted({*services.glob("*/**/handlers.py"), *services.glob("*/**/handlers/**/*.py")})


def made_in(source: str, module: ModuleType) -> set[type]:
    """The facts that a module makes: it calls them, or keeps them in a table of what to call."""
    return {fact for node in _makers(ast.parse(source)) if (fact := _fact(node, module)) is not None}


def _makers(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func
        elif isinstance(node, ast.Dict):
            yield from node.values


def _fact(node: ast.expr, module: ModuleType) -> type | None:
    found: object = module
    for name in ast.unparse(node).split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, Fact) else None


def untold(made: set[type]) -> list[str]:
    """The types of the contracts that nobody tells."""
    every = {fact for facts in catalogue.TOPICS.values() for fact in facts.values()}
    return sorted(fact.__name__ for fact in every - made - set(TOLD_BY_OTHERS))


def all_made() -> set[type]:
    made: set[type] = set()
    for path in handler_modules():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        made |= made_in(path.read_text(), importlib.import_module(name))
    return made


def test_the_flow_is_what_the_services_declare() -> None:
    assert stops(SERVICES) == FLOW


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(FLOW[:-1], id="a stop is missing"),
        pytest.param((FLOW[1], FLOW[0], *FLOW[2:]), id="two stops in another order"),
        pytest.param((FLOW[0]._replace(tells="intake.events"), *FLOW[1:]), id="a stop tells on another topic"),
        pytest.param((*FLOW[:-1], FLOW[-1]._replace(reads=FLOW[-1].reads[::-1])), id="topics read in another order"),
    ],
)
def test_another_flow_is_seen(wrong: Sequence[Stop]) -> None:
    assert stops(SERVICES) != wrong


def test_the_bank_alone_tells_on_the_public_topic_and_every_other_topic_has_one_teller() -> None:
    assert core_banking.TOPIC == BANK
    assert tellers(KINDS) == dict.fromkeys(catalogue.TOPICS.keys() - {BANK}, 1)


def readers_of(topic: str, flow: Iterable[Stop]) -> set[str]:
    return {stop.service for stop in flow if topic in stop.reads}


def test_only_who_contacts_people_hears_who_they_are() -> None:
    """Segmentation and analytics decide and count without a name or number, sealed or not."""
    assert readers_of(intake.PROFILES, FLOW) == {"outreach", "legal"} < PERSONAL
    assert {stop.service for stop in FLOW if stop.tells == intake.PROFILES} == {"intake"}
    assert not {"segmentation", "analytics"} & PERSONAL


def test_who_should_not_hear_it_and_does_is_seen() -> None:
    wrong = [*FLOW[:-1], FLOW[-1]._replace(reads=(*FLOW[-1].reads, intake.PROFILES))]
    assert readers_of(intake.PROFILES, wrong) == {"outreach", "legal", "analytics"}


@pytest.mark.parametrize(("service", "kind"), KINDS, ids=lambda each: each if isinstance(each, str) else each.name)
def test_what_a_kind_handles_travels_on_a_topic_that_it_reads(service: str, kind: ActorKind) -> None:
    assert unheard(kind, catalogue.TOPICS) == []


def test_a_fact_that_cannot_arrive_is_seen() -> None:
    without = {topic: {} if topic == "legal.events" else facts for topic, facts in catalogue.TOPICS.items()}
    outreach = next(kind for service, kind in KINDS if (service, kind.name) == ("outreach", "lane"))
    assert unheard(outreach, without) == ["HoldPlaced", "HoldReleased"]


def test_every_fact_of_the_contracts_is_told_by_somebody() -> None:
    assert untold(all_made()) == []


def test_what_others_tell_is_told_by_no_handler() -> None:
    assert all_made() & set(TOLD_BY_OTHERS) == set()


def test_a_fact_that_nobody_tells_is_seen() -> None:
    legal = set(catalogue.TOPICS["legal.events"].values()) - set(TOLD_BY_OTHERS)
    assert untold(all_made() - legal) == sorted(fact.__name__ for fact in legal)

"""What requests of plan steps have in common, whatever they ask for: who comes first, and how long one waits. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import Field
from datetime import date
from typing import Any, ClassVar, Protocol, TypeVar

from shared.frozen import replace

MOST_CARRIES = 3
"""How many days a request may wait for room before it ends in vain."""

RequestKey = tuple[str, int, int]
"""Debtor, plan number, step number."""


class Request(Protocol):
    """A row that waits. `past_due` is a weight in minor units; `carried` counts days without room."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def debtor_id(self) -> str: ...
    @property
    def plan_number(self) -> int: ...
    @property
    def step_number(self) -> int: ...
    @property
    def past_due(self) -> int: ...
    @property
    def requested_on(self) -> date: ...
    @property
    def carried(self) -> int: ...


RequestT = TypeVar("RequestT", bound=Request)


def request_key(request: Request) -> RequestKey:
    """What names a request: one step asks once."""
    return request.debtor_id, request.plan_number, request.step_number


def largest_first(requests: Iterable[RequestT]) -> list[RequestT]:
    """The largest debt first, then by debtor, plan and step."""
    return sorted(requests, key=lambda one: (-one.past_due, *request_key(one)))


def ready(requests: Mapping[RequestKey, RequestT], reached: date) -> list[RequestT]:
    """What was asked for before a date that every lane has reached."""
    return [request for request in requests.values() if request.requested_on < reached]


def still_waiting(
    requests: Mapping[RequestKey, RequestT], left: Iterable[RequestT], reached: date
) -> dict[RequestKey, RequestT]:
    """What waits after a day: requests of later ones, and those that were left without room, for a day more."""
    later = {key: request for key, request in requests.items() if request.requested_on >= reached}
    carried = (replace(request, carried=request.carried + 1) for request in left if not is_given_up(request))
    return {**later, **{request_key(request): request for request in carried}}


def is_given_up(request: Request) -> bool:
    """Whether a request that was left without room has waited for long enough."""
    return request.carried >= MOST_CARRIES

"""Every route says who may call it, but for those by which a process is watched over."""

import pytest

from services.installed import declared
from shared.http import openapi
from shared.service import Service
from shared.settings import Settings

OPEN = {"/livez", "/readyz", "/metrics"}

GIVES_TOKENS = {"outreach": {"/v1/oauth/token"}}
"""Whoever asks there has no token yet, and shows who they are otherwise."""

SERVICES = declared(Settings.demo({}))


@pytest.mark.parametrize("service", SERVICES, ids=[service.name for service in SERVICES])
def test_every_route_is_guarded(service: Service) -> None:
    paths = openapi.document(service)["paths"]
    guarded = {path for path, operations in paths.items() if all(each.get("security") for each in operations.values())}
    assert paths.keys() - guarded == OPEN | GIVES_TOKENS.get(service.name, set())
    assert len(guarded) > 5

"""What a process without REST answers: whether it lives and can do its work, and its metrics. It needs no token."""

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.health import Ready
from shared.observability import metrics


def create_worker_app(ready: Ready) -> Starlette:
    """Build the application; `ready` answers for all workers of the process."""

    async def livez(_request: Request) -> Response:
        return _json(200, {"live": True})

    async def readyz(_request: Request) -> Response:
        found = await ready()
        return _json(200 if found.ok else 503, {"ready": found.ok, "checks": found.checks})

    async def exposition(_request: Request) -> Response:
        return Response(metrics.exposition_of_all(), media_type=metrics.CONTENT_TYPE)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", exposition)])


def _json(status: int, content: object) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")

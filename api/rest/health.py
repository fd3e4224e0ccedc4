"""Liveness, readiness, measures."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from api.rest.context import context_of
from api.rest.errors import unavailable
from api.rest.openapi import described
from api.rest.reply import reply
from api.rest.shapes import Health
from api.services import Services
from infra.ports import Backlog, EngineDown
from schemas.topics import MAILBOX_COMMANDS

router = APIRouter(tags=["health"])


@router.get("/healthz", **described(Health, public=True))
async def healthz() -> Response:
    """Say that the server runs."""
    return reply(Health("ok"))


@router.get("/readyz", **described(Health, public=True, errors=(503,)))
async def readyz(request: Request) -> Response:
    """Say whether all that is needed can be reached, and name what can't."""
    context = context_of(request)
    missing = await context.threads.engines(_missing, context.services)
    if missing:
        raise unavailable(f"missing: {', '.join(missing)}")
    return reply(Health("ok"))


@router.get("/metrics", **described(None, media="text/plain", public=True))
async def metrics(request: Request) -> Response:
    """Return measures in the text format of Prometheus."""
    context = context_of(request)
    lag = await context.threads.engines(context.services.lag.lag)
    backlog = await context.threads.engines(_backlog, context.services)
    return Response(
        context.measures.text(lag, backlog, context.services.clock()),
        media_type="text/plain; version=0.0.4; charset=utf-8",
    )


def _backlog(services: Services) -> Backlog | None:
    try:
        return services.backlogs.backlog()
    except EngineDown:
        # The other measures are still worth having.
        return None


def _missing(services: Services) -> list[str]:
    probes: dict[str, Callable[[], object]] = {
        "log": lambda: services.log.end(MAILBOX_COMMANDS),
        "keys": lambda: services.keys.get([]),
        "content": lambda: services.content.get([]),
        "mailbox projection": lambda: services.reader.head(_NOBODY),
        "directory": lambda: services.directory.hosts("invalid"),
    }
    missing: list[str] = []
    for name, probe in probes.items():
        try:
            probe()
        except EngineDown:
            missing.append(name)
    return missing


_NOBODY = "00000000-0000-0000-0000-000000000000"

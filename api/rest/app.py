"""The REST application: routes on one page, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.routing import APIRoute

from api.rest import (
    attachments,
    changes,
    contacts,
    conversations,
    errors,
    filters,
    health,
    history,
    labels,
    login,
    mailboxes,
    messages,
)
from api.rest.context import Context
from api.rest.envelope import Envelope
from api.rest.measures import Measures
from api.rest.once import asked_once
from api.rest.openapi import document
from api.rest.progress import Progress
from api.rest.reply import reply
from api.rest.threads import Threads
from api.services import Services

PREFIX = "/api/v1"

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    mailboxes.router,
    messages.router,
    changes.router,
    conversations.router,
    contacts.router,
    attachments.router,
    labels.router,
    filters.router,
    history.router,
    health.router,
)


def methods_of(path: str) -> list[str]:
    """Return the methods that a path takes."""
    inner = path.removeprefix(PREFIX)
    found = set[str]()
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path_regex.match(inner):
                found.update(cast("set[str]", route.methods))
    return sorted(found)


def create_app(services: Services) -> FastAPI:
    """Return the application over `services`; nothing is opened before the first request."""
    context = Context(services, Progress(services.wake, services.channels), Threads(), Measures())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        context.progress.close()
        context.threads.close()

    app = FastAPI(
        title="mailfold",
        version="1",
        description="Mail as a stream of events. Identifiers are opaque; `me` is one's own "
        "mailbox; every read says the seq it was made at in X-Mailfold-Seq.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.context = context
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, dependencies=[Depends(asked_once)])
    # Where orchestrators look for them.
    app.include_router(health.router, include_in_schema=False)
    errors.install(app, methods_of)
    app.add_middleware(
        Envelope,
        clock=services.clock,
        random=services.random,
        max_body=services.settings.max_body_bytes,
        measures=context.measures,
    )
    written: list[dict[str, Any]] = []

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        if not written:
            written.append(document(app))
        return reply(written[0])

    return app

"""The HTTP server under the application."""

from __future__ import annotations

import socket
from typing import cast

import uvicorn
from fastapi import FastAPI

from api.rest.context import Context

GRACE = 3
"""Seconds that open answers get to end when the server stops."""


class HttpServer(uvicorn.Server):
    """Serves `app`; the caller awaits `serve(sockets=[…])` and sets `should_exit` to stop it.

    The socket is the caller's, so that port 0 can be told before anything is served.
    """

    def __init__(self, app: FastAPI) -> None:
        self._context = cast("Context", app.state.context)
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                loop="uvloop",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which would never end by themselves, then the server."""
        self._context.progress.end()
        await super().shutdown(sockets)

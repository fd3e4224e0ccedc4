"""The HTTP server under the application."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

GRACE = 3
"""Seconds that open answers, streams among them, get to end when the server stops."""


def http_server(app: FastAPI) -> uvicorn.Server:
    """Return a server for `app`; the caller runs it with `serve(sockets=[…])`.

    Its socket is the caller's, so that port 0 can be told before anything is served.
    """
    return uvicorn.Server(
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

"""Commands over REST that are repeated, with their key, until they are carried out."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx

from tests.system import System

PATIENCE = 120.0
_PAUSE = 0.05


class Commander:
    """Gives commands in the name of one account of an installation that is under fire."""

    def __init__(self, system: System, address: str) -> None:
        self._system = system
        with system.api(address) as api:
            self._client = httpx.Client(
                headers={"Authorization": api.headers["Authorization"]}, timeout=30
            )

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Repeat a call until it is answered by something else than 503."""
        host, port = self._system.where["http"]
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, f"{method} {path} is not answered"
            try:
                where = f"http://{host}:{port}/api/v1{path}"
                answer = self._client.request(method, where, **more)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code != 503:
                return answer
            time.sleep(_PAUSE)

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Carry out a command and return its answer, None without one."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + PATIENCE
        accepted = False
        while True:
            assert time.monotonic() < deadline, f"{method} {path} has no effect"
            answer = self._request(method, path, json=body, headers=headers)
            if accepted and answer.status_code == 404:
                # It was carried out, and what follows from it by a timer too.
                return None
            accepted = accepted or answer.status_code == 202
            if answer.status_code != 202:
                assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer.json() if answer.content else None
            time.sleep(_PAUSE)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Return the answer to a read."""
        return self._request("GET", path, params=query)

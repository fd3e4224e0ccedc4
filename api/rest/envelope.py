"""What surrounds every request: its identifier, its size limit, its measure, its last resort."""

from __future__ import annotations

import logging
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.rest.errors import ApiError, error_reply
from api.rest.measures import Measures
from infra.ports import Clock, Random
from schemas.identity import timed

_log = logging.getLogger(__name__)


class Envelope:
    """ASGI middleware around the whole API."""

    def __init__(
        self, app: ASGIApp, *, clock: Clock, random: Random, max_body: int, measures: Measures
    ) -> None:
        self._app = app
        self._clock = clock
        self._random = random
        self._max_body = max_body
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = timed(self._clock(), self._random(10))
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            self._check_announced(scope)
            await self._app(scope, self._bounded(receive), answer)
        except ApiError as e:
            if status:
                raise
            await error_reply(request_id, e.status, e.message, e.headers)(scope, receive, answer)
        # The last resort: a defect answers 500 and leaves the place where it is in the log, but
        # not its text, which may hold what is personal.
        except Exception as e:
            _log.error("request %s failed: %s", request_id, place(e))
            if status:
                raise
            await error_reply(
                request_id, 500, "a defect of the server; report it with the requestId"
            )(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "")
            self._measures.request(scope["method"], route, status, time.perf_counter() - began)

    def _check_announced(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            # More digits than any size has are not even turned into a number.
            if name == b"content-length" and (len(value) > 18 or int(value) > self._max_body):
                raise self._too_large()

    def _bounded(self, receive: Receive) -> Receive:
        left = self._max_body

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> ApiError:
        return ApiError(413, f"a request may have at most {self._max_body} octets")


def place(e: BaseException) -> str:
    """Return type and place of an exception, without its text."""
    frames = traceback.extract_tb(e.__traceback__)[-3:]
    where = " < ".join(f"{f.name} ({f.filename}:{f.lineno})" for f in reversed(frames))
    return f"{type(e).__name__} in {where}"

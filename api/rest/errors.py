"""Errors: one shape for everything that can go wrong, the framework's own errors included."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from infra.ports import EngineDown, Fenced

CODES: Mapping[int, str] = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    412: "PRECONDITION_FAILED",
    413: "ATTACHMENT_TOO_LARGE",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
"""The `error` of each status."""


class Error(msgspec.Struct, frozen=True, rename="camel"):
    """What went wrong; `message` says what to do about it."""

    error: str
    message: str
    request_id: str


class ApiError(Exception):
    """Ends a request with a status of CODES. `message` is shown to the caller."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def invalid(message: str) -> ApiError:
    """Return a 400."""
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """Return a 404, the same for what does not exist and for what is somebody else's."""
    return ApiError(404, f"there is no such {what} here; look at the list for what there is")


def unauthorized(message: str) -> ApiError:
    """Return a 401 with the challenge that RFC 6750 section 3 asks for."""
    return ApiError(401, message, {"WWW-Authenticate": "Bearer"})


def rate_limited(wait: float) -> ApiError:
    """Return a 429; `wait` is in seconds."""
    # RFC 9110 section 10.2.3: whole seconds; rounded up, so that who obeys is let in.
    seconds = max(1, math.ceil(wait))
    return ApiError(
        429, f"too many requests; try again in {seconds} s", {"Retry-After": str(seconds)}
    )


def unavailable(message: str) -> ApiError:
    """Return a 503."""
    return ApiError(503, message, {"Retry-After": "2"})


def error_reply(
    request_id: str, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer for an error."""
    code = CODES.get(status) or (CODES[400] if status < 500 else CODES[500])
    return Response(
        msgspec.json.encode(Error(code, message, request_id)),
        status,
        dict(headers or {}),
        "application/json",
    )


def install(app: FastAPI, methods_of: Callable[[str], Sequence[str]]) -> None:
    """Let `app` answer every exception of ours and of the framework in this shape.

    `methods_of` says which methods a path takes.
    """

    async def api_error(request: Request, e: Exception) -> Response:
        assert isinstance(e, ApiError)
        return error_reply(request_id(request.scope), e.status, e.message, e.headers)

    async def http_error(request: Request, e: Exception) -> Response:
        assert isinstance(e, HTTPException)
        message = _FRAMEWORK.get(e.status_code) or str(e.detail)
        headers = dict(e.headers or {})
        if e.status_code == 405:
            # RFC 9110 section 15.5.6: all of them, where the framework names those of one route.
            headers["Allow"] = ", ".join(methods_of(request.url.path))
        return error_reply(request_id(request.scope), e.status_code, message, headers)

    async def bad_parameters(request: Request, e: Exception) -> Response:
        assert isinstance(e, RequestValidationError)
        first = e.errors()[0]
        name = ".".join(str(x) for x in first["loc"][1:])
        return error_reply(request_id(request.scope), 400, f"{name}: {first['msg']}")

    async def engine_down(request: Request, e: Exception) -> Response:
        del e
        return error_reply(
            request_id(request.scope),
            503,
            "a part of the service can't be reached; try again",
            {"Retry-After": "2"},
        )

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, bad_parameters)
    app.add_exception_handler(EngineDown, engine_down)
    app.add_exception_handler(Fenced, engine_down)


_FRAMEWORK = {
    404: "there is no such path; /api/v1/openapi.json lists all",
    405: "this path does not take that method; /api/v1/openapi.json lists what it takes",
}


def request_id(scope: Mapping[str, Any]) -> str:
    """Return the identifier that the envelope gave the request."""
    return str(scope["state"]["request_id"])

"""Answers and questions in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from fastapi import Request, Response

from api.rest.errors import invalid

T = TypeVar("T")

SEQ_HEADER = "X-Mailfold-Seq"
"""The mailbox's head in an answer."""

_encoder = msgspec.json.Encoder()


def reply(
    value: object,
    seq: int | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `value` in JSON; `seq` is the head that it was read at."""
    all_headers = {} if seq is None else {SEQ_HEADER: str(seq)}
    all_headers.update(headers or {})
    return Response(_encoder.encode(value), status, all_headers, "application/json")


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the body of a request. Raises ApiError 400 that names the mistake and its place."""
    body = await request.body()
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as e:
        raise invalid(f"the body is not as it should be: {e}") from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise invalid("the body is not JSON") from e

"""The OpenAPI document: what each route asks and answers, errors included."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import msgspec
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from api.rest import shapes
from api.rest.errors import Error
from api.rest.reply import SEQ_HEADER
from api.rest.shapes import Pending

Kind = type[msgspec.Struct]

_REF = "#/components/schemas/{name}"
_ALWAYS = (400, 429, 503)
_MEANING = {
    400: "The request is not as it should be; the message says where.",
    401: "No token, or one that is unknown or has expired.",
    403: "The token may only read.",
    404: "There is no such thing here, or it is somebody else's.",
    409: "It is in the way of something that is there, or the mailbox refused it.",
    412: "It has changed since the seq of If-Match.",
    413: "The request is too large.",
    429: "Too many requests; Retry-After says when to come again.",
    503: "Something that is needed can't be reached; try again.",
}
_SEQ = {
    SEQ_HEADER: {
        "description": "The mailbox's head in this answer: the seq of the last event in it.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_RETRY = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}


def described(
    answer: Kind | tuple[Kind, ...] | None,
    *,
    asks: Kind | None = None,
    status: int = 200,
    media: str = "application/json",
    seq: bool = False,
    waits: bool = False,
    public: bool = False,
    errors: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the arguments of a route's decorator that describe it.

    `answer` is what a JSON answer holds (one of them, when there are several), or each event of a
    stream; None for text, octets and an empty answer. `waits` adds the 202 of a command; `public`
    takes no token.
    """
    good: dict[str, Any] = {"description": "Done."}
    if answer is not None:
        good["content"] = {media: {"schema": _schema(answer)}}
    elif status != 204:
        good["content"] = {media: {"schema": {"type": "string"}}}
    if seq:
        good["headers"] = _SEQ
    answers: dict[int | str, dict[str, Any]] = {status: good}
    if waits:
        answers[202] = {
            "description": "The command is durable, its effect can't be read yet.",
            "content": {"application/json": {"schema": _schema(Pending)}},
        }
    codes = {*_ALWAYS, *errors, *(() if public else (401,)), *((413,) if asks else ())}
    for code in sorted(codes):
        answers[code] = _error(_MEANING[code])
        if code in (429, 503):
            answers[code]["headers"] = _RETRY
    answers["default"] = _error("Any other error.")
    extra: dict[str, Any] = {"security": [] if public else [{"token": []}]}
    if asks is not None:
        extra["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema(asks)}},
        }
    return {
        "status_code": status,
        "response_class": Response,
        "response_model": None,
        "responses": answers,
        "openapi_extra": extra,
    }


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of `app`."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    for methods in made["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
    kinds = [k for k in _kinds(made) if k is not None]
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    for name, further in shapes.FURTHER.items():
        components.get(name, {}).update(further)
    made["components"] = {
        "schemas": components,
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token from POST /login or `mailfold token create`.",
            }
        },
    }
    return made


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter; one that may be left out is never null in a URL."""
    some = [s for s in schema.get("anyOf", []) if s != {"type": "null"}]
    rest = {k: v for k, v in schema.items() if k not in ("anyOf", "title")}
    return {**some[0], **rest} if len(some) == 1 else schema


def _error(meaning: str) -> dict[str, Any]:
    return {
        "description": meaning,
        "content": {"application/json": {"schema": _schema(Error)}},
    }


def _schema(kind: Kind | tuple[Kind, ...]) -> dict[str, Any]:
    if isinstance(kind, tuple):
        # Not oneOf: what is a message in full is one without its text too.
        return {"anyOf": [_schema(k) for k in kind]}
    return {"$ref": _REF.format(name=kind.__name__)}


def _kinds(made: dict[str, Any]) -> list[Kind | None]:
    """Return the shapes that a document refers to."""
    prefix = _REF.format(name="")
    names: set[str] = set()
    stack: list[Any] = [made["paths"]]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key, value in cast("dict[str, Any]", node).items():
                if key == "$ref":
                    names.add(str(value).removeprefix(prefix))
                else:
                    stack.append(value)
        elif isinstance(node, list):
            stack += cast("list[Any]", node)
    return [_all_kinds().get(n) for n in sorted(names)]


@cache
def _all_kinds() -> dict[str, Kind]:
    found = {n: k for n, k in vars(shapes).items() if isinstance(k, type)}
    structs = {n: k for n, k in found.items() if issubclass(k, msgspec.Struct)}
    return {**structs, "Error": Error}

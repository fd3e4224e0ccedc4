"""Avro encoding of events, commands and the records sealed in them.

The .avsc files carry logical types for readers outside. Inside, identifiers stay strings and times
stay integers (microseconds), so the codec reads and writes with the logical types taken off;
the bytes are the same.
"""

from __future__ import annotations

import io
import json
from functools import cache
from importlib import resources
from typing import Any, TypeVar, cast

import fastavro
import msgspec

from schemas import commands, events, mailbox_events, parts

R = TypeVar("R", bound=msgspec.Struct)

_BYTES = (bytes,)


class CodecError(Exception):
    """A record that can't be coded; `type_name` and `reason` say which and why, never content."""

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(f"{type_name}: {reason}")
        self.type_name = type_name
        self.reason = reason


@cache
def record_types() -> dict[str, type[msgspec.Struct]]:
    """Return every Python type that has an .avsc file, by record name."""
    found: dict[str, type[msgspec.Struct]] = {}
    for name in schema_names():
        for module in (events, mailbox_events, commands, parts):
            if hasattr(module, name):
                found[name] = getattr(module, name)
                break
        else:
            raise CodecError(name, "has an .avsc file but no Python type")
    return found


@cache
def schema_names() -> tuple[str, ...]:
    """Return the record names of all .avsc files, sorted."""
    folder = resources.files("schemas")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".avsc")))


@cache
def schema_text(name: str) -> str:
    """Return the .avsc file of record `name`."""
    return resources.files("schemas").joinpath(f"{name}.avsc").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """Return the parsed JSON of the .avsc file of record `name`."""
    return cast("dict[str, Any]", json.loads(schema_text(name)))


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_logical_types(x) for x in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    given = cast("dict[str, Any]", node)
    if "logicalType" in given:
        return given["type"]
    return {
        k: _without_logical_types(v) if k in ("type", "fields", "items") else v
        for k, v in given.items()
    }


@cache
def _writer_schema(name: str) -> Any:
    return fastavro.parse_schema(_without_logical_types(schema(name)))


def encode(record: msgspec.Struct) -> bytes:
    """Return `record` in Avro binary form.

    Raises CodecError when a field does not fit the schema.
    """
    name = type(record).__name__
    out = io.BytesIO()
    try:
        fastavro.schemaless_writer(
            out, _writer_schema(name), msgspec.to_builtins(record, builtin_types=_BYTES)
        )
    except (ValueError, TypeError, KeyError, OverflowError) as e:
        raise CodecError(name, f"can't be encoded ({type(e).__name__})") from e
    return out.getvalue()


def decode(name: str, data: bytes) -> msgspec.Struct:
    """Return the record called `name` that `data` encodes.

    Raises CodecError for an unknown name and for bytes that are no such record.
    """
    kind = record_types().get(name)
    if kind is None:
        raise CodecError(name, "unknown record type")
    return decode_as(kind, data)


def decode_as(kind: type[R], data: bytes) -> R:
    """Return the record of type `kind` that `data` encodes. Raises CodecError."""
    name = kind.__name__
    stream = io.BytesIO(data)
    try:
        plain = fastavro.schemaless_reader(stream, _writer_schema(name), None)
        record = msgspec.convert(plain, kind, builtin_types=_BYTES)
    # fastavro raises whatever its reader ran into, StopIteration and MemoryError included.
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        OverflowError,
        StopIteration,
        MemoryError,
        RecursionError,
        UnicodeDecodeError,
        msgspec.ValidationError,
    ) as e:
        raise CodecError(name, f"can't be decoded ({type(e).__name__})") from e
    if stream.read(1):
        raise CodecError(name, "has bytes after its end")
    return record

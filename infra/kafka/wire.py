"""Confluent's wire format: which schema the bytes behind it were written with.

One octet 0, the id of the schema as 4 octets big-endian, then Avro binary.
"""

from __future__ import annotations

import struct

_MAGIC = 0
_HEAD = struct.Struct(">BI")


class NotFramed(Exception):
    """Bytes that do not begin as the wire format says."""


def frame(schema_id: int, avro: bytes) -> bytes:
    """Avro binary with the id of its schema before it."""
    return _HEAD.pack(_MAGIC, schema_id) + avro


def unframe(value: bytes) -> tuple[int, bytes]:
    """The id of the schema, and the Avro binary. Raises NotFramed."""
    if len(value) < _HEAD.size or value[0] != _MAGIC:
        raise NotFramed("a value without the wire format's head")
    _, schema_id = _HEAD.unpack_from(value)
    return schema_id, value[_HEAD.size :]

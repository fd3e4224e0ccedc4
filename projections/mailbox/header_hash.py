"""The short hash by which a message is found under its Message-ID field."""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class _Header(msgspec.Struct):
    """Of a packed Digest the one field that is hashed; the others are passed over."""

    message_id_header: str = ""


_unpack = msgspec.msgpack.Decoder(_Header).decode


def header_hash(header: str) -> int:
    """Return the hash of a Message-ID with its angle brackets, as SQLite holds integers.

    It is short, so whoever finds a row by it compares the field itself.
    """
    digest = blake2b(header.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def header_of(text: bytes) -> str:
    """Return the Message-ID in a packed Digest, "" when it has none."""
    return _unpack(text).message_id_header


def hash_of(text: bytes) -> int | None:
    """Return the hash for a packed Digest; None without one or without a Message-ID."""
    header = header_of(text) if text else ""
    return header_hash(header) if header else None

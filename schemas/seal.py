"""Seal personal fields, so that destroying a key erases them from an immutable log.

AES-256-GCM (NIST SP 800-38D) with the event's identity as associated data: a sealed field can't be
moved to another event. Layout: version 1, 12 octets of nonce, ciphertext with its tag; the
plaintext is one octet for the compression (0 none, 1 zstd), then the record in Avro.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.codec import CodecError, decode_as, encode

R = TypeVar("R", bound=msgspec.Struct)

KEY_SIZE = 32
_VERSION = b"\x01"
_NONCE_SIZE = 12
_WORTH_COMPRESSING = 256
# A record is at most 512 KiB, its compressed field can't honestly open to more than this.
_MAX_PLAINTEXT = 64 * 1024 * 1024


class _Zstd(threading.local):
    """Contexts of zstd: making one costs more than a small record, sharing one is not safe."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Zstd()


class SealError(Exception):
    """A sealed field that the key does not open; `reason` is a code, never content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def new_key(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return a new key of 32 octets."""
    return random(KEY_SIZE)


def seal(
    record: msgspec.Struct,
    key: bytes,
    event_id: str,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return `record` sealed under `key` for the event `event_id`.

    The nonce is random, never derived: one key seals several events, and an event judged again
    after a crash may have another text.
    """
    plain = encode(record)
    if len(plain) >= _WORTH_COMPRESSING:
        packed = _zstd.compress(plain)
        plain = b"\x01" + packed if len(packed) < len(plain) else b"\x00" + plain
    else:
        plain = b"\x00" + plain
    nonce = random(_NONCE_SIZE)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, event_id.encode())


def unseal(kind: type[R], sealed: bytes, key: bytes, event_id: str) -> R:
    """Return the record of type `kind` in `sealed`.

    Raises SealError when the key or the event is not the one it was sealed for.
    """
    if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE_SIZE + 16:
        raise SealError("not-sealed")
    nonce = sealed[1 : 1 + _NONCE_SIZE]
    try:
        plain = AESGCM(key).decrypt(nonce, sealed[1 + _NONCE_SIZE :], event_id.encode())
        if plain[:1] == b"\x01":
            data = _zstd.decompress(plain[1:], _MAX_PLAINTEXT)
        else:
            data = plain[1:]
        return decode_as(kind, data)
    except InvalidTag as e:
        raise SealError("wrong-key") from e
    except (zstandard.ZstdError, CodecError) as e:
        raise SealError("damaged") from e

"""A message as the checks read it: fields, body, and the canonical forms already computed."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from mail.authentication.canonicalization import (
    Canonicalization,
    canonical_body,
    canonical_field,
)
from mail.fields import Field, split_header

HashName: TypeAlias = Literal["sha1", "sha256"]


class Message:
    """Header fields and body of one message, split once.

    A line end of LF alone counts as CRLF: mail that came over SMTP has none, and imported mail
    had CRLF when it was signed.
    """

    def __init__(self, raw: bytes) -> None:
        if raw.count(b"\n") != raw.count(b"\r\n"):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        header = split_header(raw)
        self.fields: tuple[Field, ...] = header.fields
        self.body: bytes = raw[header.body :]
        self._bodies: dict[Canonicalization, bytes] = {}
        self._hashes: dict[tuple[Canonicalization, int, HashName], bytes] = {}
        self._canonical: dict[tuple[int, Canonicalization], bytes] = {}
        self._by_name: dict[bytes, list[Field]] = {}
        for field in self.fields:
            self._by_name.setdefault(field.name, []).append(field)

    def named(self, name: bytes) -> list[Field]:
        """Return the fields called `name` (lower case), first in the message first."""
        return self._by_name.get(name, [])

    def repeated(self) -> dict[bytes, int]:
        """Return the names that occur more than once, with their number."""
        return {name: len(found) for name, found in self._by_name.items() if len(found) > 1}

    def canonical_body(self, method: Canonicalization) -> bytes:
        """Return the canonical body."""
        body = self._bodies.get(method)
        if body is None:
            body = self._bodies[method] = canonical_body(self.body, method)
        return body

    def body_hash(self, method: Canonicalization, length: int | None, name: HashName) -> bytes:
        """Return the hash of the canonical body, or of its first `length` octets."""
        body = self.canonical_body(method)
        size = len(body) if length is None else min(length, len(body))
        key = (method, size, name)
        digest = self._hashes.get(key)
        if digest is None:
            covered = memoryview(body)[:size]
            # usedforsecurity: SHA-1 is computed to name what is wrong, never to trust it.
            digest = hashlib.new(name, covered, usedforsecurity=False).digest()
            self._hashes[key] = digest
        return digest

    def canonical_field(self, field: Field, method: Canonicalization) -> bytes:
        """Return the canonical form of one of this message's fields."""
        key = (field.start, method)
        text = self._canonical.get(key)
        if text is None:
            text = self._canonical[key] = canonical_field(field, method)
        return text

    def signed_fields(
        self, names: tuple[bytes, ...], method: Canonicalization, own: Field | None
    ) -> bytes:
        """Return the canonical fields that h= selects, from the bottom up (section 5.4.2).

        A name without a field left adds nothing. `own` is the signature itself, which is no
        candidate (section 3.5).
        """
        used: dict[bytes, int] = {}
        chosen: list[bytes] = []
        for name in names:
            fields = self.named(name)
            index = used.get(name, len(fields)) - 1
            if index >= 0 and fields[index] is own:
                index -= 1
            used[name] = max(index, 0)
            if index >= 0:
                chosen.append(self.canonical_field(fields[index], method))
        return b"".join(chosen)

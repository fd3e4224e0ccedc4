"""Split a message into header fields and body, byte-exact (RFC 5322 section 2.2).

The scanner accepts LF as well as CRLF line ends and never raises: what is not a field ends
the header or is skipped, as every mail reader in use does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# RFC 5322 section 2.2: a field name is printable US-ASCII except colon; section 4.5 (obsolete
# syntax) allows white space before the colon. A folded line starts with space or tab.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\n]*)(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_END = re.compile(rb"\r?\n\r?\n")


class Field(NamedTuple):
    """One header field as it stands in the message."""

    name: bytes
    """Field name in lower case."""
    value: bytes
    """What follows the colon, folds included, without the final line end."""
    raw: bytes
    """The whole field with its final line end."""
    start: int
    """Offset of the first octet of the name."""


class Header(NamedTuple):
    """The header section of a message or a part."""

    fields: tuple[Field, ...]
    body: int
    """Offset of the first octet of the body."""

    def all(self, name: bytes) -> list[Field]:
        """Return the fields called `name` (lower case), first in the message first."""
        return [f for f in self.fields if f.name == name]

    def first(self, name: bytes) -> bytes | None:
        """Return the value of the first field called `name` (lower case), or None."""
        for f in self.fields:
            if f.name == name:
                return f.value
        return None


def split_header(raw: bytes, start: int = 0, end: int | None = None) -> Header:
    """Split `raw[start:end]` into fields and the offset of its body.

    A message without an empty line is all header. Offsets count from the start of `raw`.
    """
    stop = len(raw) if end is None else end
    if raw.startswith(b"\r\n", start, stop):
        return Header((), start + 2)
    if raw.startswith(b"\n", start, stop):
        return Header((), start + 1)
    blank = _END.search(raw, start, stop)
    header_end, body = (stop, stop) if blank is None else (blank.start(), blank.end())
    if blank is not None:
        header_end += 2 if raw.startswith(b"\r\n", blank.start()) else 1
    fields: list[Field] = []
    for m in _FIELD.finditer(raw, start, header_end):
        # A field starts a line; a match inside a line is the tail of something that is no field.
        if m.start() != start and raw[m.start() - 1] != 0x0A:
            continue
        fields.append(Field(m[1].lower(), m[2].removesuffix(b"\r"), m[0], m.start()))
    return Header(tuple(fields), body)


def unfold(value: bytes) -> bytes:
    """Undo folding (RFC 5322 section 2.2.3): line ends go, the white space after them stays."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"")

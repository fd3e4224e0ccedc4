"""Split a message into header fields and body, byte-exact (RFC 5322 section 2.2).

The scanner accepts LF as well as CRLF line ends and never raises. A line of the header that is
no field is skipped when an empty line follows somewhere, as mail readers do; where no empty line
ends the header, the first such line does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, cast

# RFC 5322 section 2.2: a field name is printable US-ASCII except colon; section 4.5 (obsolete
# syntax) allows white space before the colon. A folded line starts with space or tab. Possessive
# repeats keep a line of any length linear.
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?", re.MULTILINE)


MAX_FIELDS = 10_000
"""Fields of one header that are read; what follows them is not."""


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


# The constructor of a named tuple without its argument handling: a header has dozens of fields.
_FIELD_OF: Callable[[tuple[bytes, bytes, bytes, int]], Field] = partial(
    cast(Any, tuple).__new__, Field
)


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

    `start` is the start of a line. A message without any field is all body, one of nothing but
    fields is all header. Offsets count from the start of `raw`. At most MAX_FIELDS are read.
    """
    stop = len(raw) if end is None else end
    crlf = raw.find(b"\n\r\n", start, stop)
    lf = raw.find(b"\n\n", start, stop if crlf < 0 else crlf)
    return header_up_to(raw, start, stop, crlf if lf < 0 else lf)


def header_up_to(raw: bytes, start: int, stop: int, blank: int, limit: int = MAX_FIELDS) -> Header:
    """Do what `split_header` does, the line end before the first empty line being at `blank`.

    `blank` is negative when no empty line follows `start`; `limit` bounds the number of fields.
    """
    if raw.startswith(b"\r\n", start, stop):
        return Header((), start + 2)
    if raw.startswith(b"\n", start, stop):
        return Header((), start + 1)
    if blank < 0:
        return _unended(read_fields(raw, start, stop, limit), start, stop)
    fields = read_fields(raw, start, blank + 1, limit)
    if not fields:
        return Header((), start)
    return Header(fields, blank + (2 if raw.startswith(b"\n", blank + 1) else 3))


def read_fields(raw: bytes, start: int, end: int, limit: int = MAX_FIELDS) -> tuple[Field, ...]:
    """Return the first `limit` fields in `raw[start:end]`; lines that are no fields are skipped."""
    return tuple(islice(iter_fields(raw, start, end), limit))


def iter_fields(raw: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield all fields in `raw[start:end]`, however many there are."""
    for m in _FIELD.finditer(raw, start, end):
        name, value = m.groups()
        yield _FIELD_OF((name.lower(), value.removesuffix(b"\r"), m[0], m.start()))


def _unended(fields: tuple[Field, ...], start: int, stop: int) -> Header:
    pos = start
    for count, field in enumerate(fields):
        if field.start != pos:
            return Header(fields[:count], pos)
        pos += len(field.raw)
    return Header(fields, pos if pos < stop else stop)


def unfold(value: bytes) -> bytes:
    """Undo folding (RFC 5322 section 2.2.3): line ends go, the white space after them stays."""
    if b"\n" not in value:
        return value
    return value.replace(b"\r\n", b"").replace(b"\n", b"")

"""Cut large parts out of a message and put them back, byte for byte.

A skeleton is the message with its large leaf parts replaced by references:

    "mS" version=1, then records until the end:
    0  the rest of the skeleton is literal
    1  varint length, so many literal octets
    2  reference to a stored part that stands in the message as it is stored
    3  the same, base64 encoded: then varint line length (0: one line) and line end (0 CRLF, 1 LF)

A reference is the SHA-256 of the stored octets (32 octets) and the varint of their number. A
varint is little-endian base 128, as in Protocol Buffers.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple

from mail.parts import Part, parse

LARGE = 64 * 1024
"""A leaf part whose body has more octets than this, as sent, is cut out."""

_PREFIX = b"mS\x01"
_REST, _LITERAL, _PLAIN, _BASE64 = range(4)
_LINE_ENDS = (b"\r\n", b"\n")
_NAME_SIZE = 32
# Shorter lines are not sent by anyone, and would cost a lot of memory to make again.
_MIN_LINE = 32


class SkeletonError(ValueError):
    """The skeleton is damaged, or a part that it names is not the one that was stored."""


class LargePart(NamedTuple):
    """A part that was cut out."""

    name: bytes
    """SHA-256 of `data`."""
    data: bytes
    section: str
    """IMAP part number of the first part in the message that holds this data."""
    decoded: bool
    """Whether `data` is the content of the part, its transfer encoding undone."""


class Reference(NamedTuple):
    """What a skeleton says of a part that was cut out."""

    name: bytes
    size: int
    """Number of stored octets."""
    line: int
    """Line length of the base64 in the message; 0 for one line, -1 when stored as it stands."""
    line_end: bytes


class Split(NamedTuple):
    """A message as skeleton and large parts; equal parts are there once."""

    skeleton: bytes
    parts: tuple[LargePart, ...]


def split(raw: bytes, tree: Part | None = None, large: int = LARGE) -> Split:
    """Cut the large leaf parts out of a message. Never raises.

    Base64 with a constant line length is stored decoded, since re-encoding gives the octets back;
    so the same attachment is stored once whoever sent it. `tree` is the part tree, if there is
    one already, `large` the size up to which a part stays. `join` of the result is `raw` for
    every input.
    """
    if len(raw) <= large:
        return Split(_PREFIX + bytes((_REST,)) + raw, ())
    skeleton: list[bytes] = [_PREFIX]
    parts: dict[bytes, LargePart] = {}
    pos = 0
    for part in (parse(raw) if tree is None else tree).walk():
        if part.children or part.end - part.body_start <= large or part.body_start < pos:
            continue
        body = raw[part.body_start : part.end]
        coded = _base64(body) if part.encoding == "base64" else None
        data, line, line_end, used = (body, -1, b"", len(body)) if coded is None else coded
        name = sha256(data).digest()
        decoded = coded is not None or part.encoding in ("7bit", "8bit", "binary")
        parts.setdefault(name, LargePart(name, data, part.section, decoded))
        skeleton.append(_literal(raw[pos : part.body_start]))
        skeleton.append(_reference(Reference(name, len(data), line, line_end)))
        pos = part.body_start + used
    skeleton += [bytes((_REST,)), raw[pos:]]
    return Split(b"".join(skeleton), tuple(parts.values()))


def join(skeleton: bytes, fetch: Callable[[bytes], bytes]) -> bytes:
    """Return the message; `fetch` gives the stored octets for a name (SHA-256).

    Raises SkeletonError when the skeleton is damaged or a part has another size than was stored.
    """
    pieces: list[bytes] = []
    for record in _records(skeleton):
        if isinstance(record, bytes):
            pieces.append(record)
            continue
        data = fetch(record.name)
        if len(data) != record.size:
            raise SkeletonError(f"part of {len(data)} octets where {record.size} were stored")
        pieces.append(data if record.line < 0 else _encode(data, record.line, record.line_end))
    return b"".join(pieces)


def references(skeleton: bytes) -> tuple[Reference, ...]:
    """Return the references in a skeleton, in order. Raises SkeletonError when it is damaged."""
    return tuple(r for r in _records(skeleton) if isinstance(r, Reference))


def _base64(body: bytes) -> tuple[bytes, int, bytes, int] | None:
    """Return content, line length, line end and octets used, if they give the octets back.

    White space after the last digit is not used: it stays in the skeleton.
    """
    digits = body.rstrip(b"\r\n \t")
    first = digits.find(b"\n")
    if first < 0:
        line, line_end = 0, b"\r\n"
    elif digits.startswith(b"\r", first - 1) and first:
        line, line_end = first - 1, b"\r\n"
    else:
        line, line_end = first, b"\n"
    if first >= 0 and line < _MIN_LINE:
        return None
    try:
        data = binascii.a2b_base64(digits)
    except binascii.Error:
        return None
    if _encode(data, line, line_end) != digits:
        return None
    return data, line, line_end, len(digits)


def _encode(data: bytes, line: int, line_end: bytes) -> bytes:
    digits = binascii.b2a_base64(data, newline=False)
    if line == 0:
        return digits
    return line_end.join([digits[i : i + line] for i in range(0, len(digits), line)])


def _literal(data: bytes) -> bytes:
    return bytes((_LITERAL,)) + _varint(len(data)) + data if data else b""


def _reference(ref: Reference) -> bytes:
    plain = ref.name + _varint(ref.size)
    if ref.line < 0:
        return bytes((_PLAIN,)) + plain
    recipe = _varint(ref.line) + bytes((_LINE_ENDS.index(ref.line_end),))
    return bytes((_BASE64,)) + plain + recipe


def _records(skeleton: bytes) -> Iterator[bytes | Reference]:
    if not skeleton.startswith(_PREFIX):
        raise SkeletonError("not a skeleton of a version that is known")
    pos, size = len(_PREFIX), len(skeleton)
    while pos < size:
        kind = skeleton[pos]
        pos += 1
        if kind == _REST:
            yield skeleton[pos:]
            return
        if kind == _LITERAL:
            length, pos = _read_varint(skeleton, pos)
            if pos + length > size:
                raise SkeletonError("literal ends early")
            yield skeleton[pos : pos + length]
            pos += length
        elif kind in (_PLAIN, _BASE64):
            name = skeleton[pos : pos + _NAME_SIZE]
            length, pos = _read_varint(skeleton, pos + _NAME_SIZE)
            line, line_end = -1, b""
            if kind == _BASE64:
                line, pos = _read_varint(skeleton, pos)
                code = skeleton[pos] if pos < size else len(_LINE_ENDS)
                if code >= len(_LINE_ENDS):
                    raise SkeletonError("unknown line end")
                line_end = _LINE_ENDS[code]
                pos += 1
            yield Reference(name, length, line, line_end)
        else:
            raise SkeletonError(f"unknown record {kind}")
    raise SkeletonError("skeleton ends early")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, pos: int) -> tuple[int, int]:
    value = shift = 0
    while pos < len(data) and shift < 63:
        octet = data[pos]
        pos += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, pos
        shift += 7
    raise SkeletonError("number ends early")

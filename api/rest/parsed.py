"""What the API tells of a message's own structure."""

from __future__ import annotations

from collections.abc import Iterator

from api.rest.shapes import Body, Headers
from mail.charsets import decode
from mail.fields import split_header
from mail.parts import Part, parse
from mail.words import decode_header


def headers_of(raw: bytes) -> Headers:
    """Return the header fields, decoded, by name in lower case."""
    found: dict[str, list[str]] = {}
    for field in split_header(raw).fields:
        found.setdefault(field.name.decode("ascii"), []).append(decode_header(field.value))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def body_of(raw: bytes) -> Body:
    """Return the text of a message: its first plain text and its first HTML to be shown inline."""
    text: str | None = None
    html: str | None = None
    for part in _inline(parse(raw)):
        if part.content_type == "text/plain" and text is None:
            text = _text(part, raw)
        elif part.content_type == "text/html" and html is None:
            html = _text(part, raw)
    return Body(text, html)


def part_of(raw: bytes, section: str) -> Part | None:
    """Return the leaf with that IMAP part number, or None."""
    for part in parse(raw).walk():
        if part.section == section and section:
            return part
    return None


def _inline(root: Part) -> Iterator[Part]:
    """Yield the leaves that belong to this message, not to one that is attached to it."""
    stack = [root]
    while stack:
        part = stack.pop()
        if part.content_type.startswith("multipart/") and part.children:
            stack.extend(reversed(part.children))
        elif part.disposition != "attachment":
            yield part


def _text(part: Part, raw: bytes) -> str:
    return decode(part.decoded(raw), part.charset or "").replace("\r\n", "\n")

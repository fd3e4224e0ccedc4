"""What the API tells of a message's own structure."""

from __future__ import annotations

from typing import NamedTuple

from api.rest.shapes import Attachment, Body, Headers
from mail.fields import split_header
from mail.message import decoded_headers
from mail.parts import parse
from mail.text import attachments, body_html, body_text


class File(NamedTuple):
    """An attachment with its octets, the transfer encoding undone."""

    filename: str
    mime_type: str
    content: bytes


def headers_of(raw: bytes) -> Headers:
    """Return the header fields, decoded, by name in lower case."""
    found = decoded_headers(split_header(raw).fields)
    return {name: values[0] if len(values) == 1 else list(values) for name, values in found.items()}


def apart(raw: bytes) -> tuple[Body, list[Attachment]]:
    """Return the text of a message, the HTML as its sender wrote it, and its attachments."""
    tree = parse(raw)
    files = [Attachment(a.section, a.filename, a.mime_type, a.size) for a in attachments(raw, tree)]
    return Body(body_text(raw, tree), body_html(raw, tree)), files


def file_of(raw: bytes, section: str) -> File | None:
    """Return the attachment with that IMAP part number, or None."""
    tree = parse(raw)
    found = next((a for a in attachments(raw, tree) if a.section == section), None)
    if found is None:
        return None
    part = next(p for p in tree.walk() if p.section == section)
    return File(found.filename, found.mime_type, part.decoded(raw))

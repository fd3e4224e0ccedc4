"""The digest of a message: what a list, a thread and a label need of it, read in one pass."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from mail.addresses import Mailbox, parse_addresses
from mail.dates import parse_date
from mail.fields import Field, split_header, unfold
from mail.html import html_text
from mail.parameters import parse_parameters
from mail.parts import Part, parse
from mail.subjects import base_subject
from mail.text import (
    SNIPPET_CHARACTERS,
    Attachment,
    Bodies,
    attachments_of,
    bodies,
    part_text,
    snippet,
)
from mail.words import decode_header

__all__ = ["MessageDigest", "base_subject", "decoded_headers", "digest", "message_ids"]

_MESSAGE_ID = re.compile(rb"<([^<>]{1,1000})>")
_SPACE = re.compile(rb"\s+")
_PREVIEW = 16 * 1024
"""Characters of text that a snippet is made from; a snippet is far shorter."""
_MAX_HEADER = 512 * 1024
"""Octets of a header in which repeated destination fields are read."""
_ADDRESSES = frozenset((b"from", b"to", b"cc"))


class MessageDigest(NamedTuple):
    """What one message says of itself, decoded."""

    from_: tuple[Mailbox, ...] = ()
    """Authors; a From that is no address is one mailbox with the text as name and no address."""
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: datetime | None = None
    """The Date field in UTC."""
    message_id: str = ""
    """Without angle brackets; empty when there is none."""
    references: tuple[str, ...] = ()
    """Ancestors, oldest first, without angle brackets, each once: References, and In-Reply-To
    before it where it names one more, so that the last one is the parent."""
    in_reply_to: str = ""
    """The first message identifier of In-Reply-To."""
    snippet: str = ""
    attachments: tuple[Attachment, ...] = ()
    auto_submitted: str = ""
    """The keyword of Auto-Submitted (RFC 3834 section 5) in lower case."""
    list_id: str = ""
    """The list identifier (RFC 2919) in lower case, without angle brackets."""
    fields: tuple[Field, ...] = ()
    tree: Part | None = None
    defect: str = ""
    """The kind of error that kept this message from being read; normally empty."""

    @property
    def has_attachments(self) -> bool:
        """Whether there is a file that is not shown in the text."""
        return any(not a.inline for a in self.attachments)

    @property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """All header fields, decoded: lower-case name -> values in order."""
        return decoded_headers(self.fields)


def digest(raw: bytes, tree: Part | None = None) -> MessageDigest:
    """Return the digest of a message; `tree` is its part tree, if there is one already.

    Never raises: mail that cannot be read is delivered all the same, so an error of ours leaves
    the fields that need no parsing, and its name in `defect`.
    """
    try:
        return _digest(raw, parse(raw) if tree is None else tree)
    except Exception as error:  # noqa: BLE001 - returned as a value: reading must not stop mail
        return MessageDigest(fields=split_header(raw).fields, defect=type(error).__name__)


def _digest(raw: bytes, tree: Part) -> MessageDigest:
    addresses: dict[bytes, tuple[Mailbox, ...]] = {}
    first: dict[bytes, bytes] = {}
    for field in tree.fields:
        name = field.name
        if name in _ADDRESSES:
            if name in addresses:
                # RFC 5322 section 4.5.3: repeated destinations count as one field; of repeated
                # From fields, which no syntax allows, the first.
                if name != b"from" and field.start < _MAX_HEADER:
                    addresses[name] += parse_addresses(field.value).mailboxes
            else:
                first[name] = field.value
                addresses[name] = parse_addresses(field.value).mailboxes
        else:
            first.setdefault(name, field.value)
    get = first.get
    authors = addresses.get(b"from", ())
    if not authors and (text := decode_header(get(b"from", b""))):
        authors = (Mailbox(text, ""),)
    charset = tree.charset or ""
    replied = message_ids(get(b"in-reply-to", b""))
    own = get(b"message-id", b"")
    identifier = message_ids(own, strict=False)
    sorted_ = bodies(tree)
    return MessageDigest(
        from_=authors,
        to=addresses.get(b"to", ()),
        cc=addresses.get(b"cc", ()),
        subject=" ".join(decode_header(get(b"subject", b""), charset).split()),
        date=parse_date(first[b"date"]) if b"date" in first else None,
        message_id=identifier[0] if identifier else decode_header(own).strip("<> "),
        references=_references(get(b"references", b""), replied),
        in_reply_to=replied[0] if replied else "",
        snippet=snippet(_preview(raw, sorted_)),
        attachments=attachments_of(raw, sorted_),
        auto_submitted=_keyword(get(b"auto-submitted")),
        list_id=_list_id(get(b"list-id")),
        fields=tree.fields,
        tree=tree,
    )


def message_ids(value: bytes, *, strict: bool = True) -> tuple[str, ...]:
    """Return the message identifiers in a field, without brackets, each once, in order.

    RFC 5322 section 3.6.4, robust: text between identifiers is passed over, white space in one
    (from folding) is dropped. Strict asks for the "@" that the syntax has: what is in brackets
    without it in In-Reply-To is text more often than a name of a message.
    """
    if b"<" not in value:
        return ()
    found: dict[str, None] = {}
    for match in _MESSAGE_ID.finditer(unfold(value)):
        identifier = _SPACE.sub(b"", match[1])
        if identifier and (not strict or b"@" in identifier[1:-1]):
            found[identifier.decode("utf-8", "replace")] = None
    return tuple(found)


def _references(value: bytes, replied: tuple[str, ...]) -> tuple[str, ...]:
    references = message_ids(value)
    if not replied or replied[0] in references:
        return references
    return (replied[0], *references)


def _preview(raw: bytes, sorted_: Bodies) -> str:
    """Return enough text for a snippet: of the first part that has some."""
    for part in (*sorted_.text, *sorted_.html):
        if part.content_type == "text/plain":
            text = part_text(raw, part)[:_PREVIEW]
        elif part.content_type == "text/html":
            document = part_text(raw, part)
            text = html_text(document[:_PREVIEW])
            # The head of some documents is long, and all that the first stretch holds.
            if len(text) < SNIPPET_CHARACTERS and len(document) > _PREVIEW:
                text = html_text(document[: 8 * _PREVIEW])
        else:
            continue
        if text and not text.isspace():
            return text
    return ""


def _keyword(value: bytes | None) -> str:
    return "" if value is None else parse_parameters(value)[0]


def _list_id(value: bytes | None) -> str:
    if value is None:
        return ""
    found = message_ids(value, strict=False)
    return (found[-1] if found else decode_header(value)).lower()


def decoded_headers(fields: tuple[Field, ...]) -> dict[str, tuple[str, ...]]:
    """Return field values as text by lower-case field name, repeated ones in order."""
    headers: dict[str, list[str]] = {}
    for field in fields:
        headers.setdefault(field.name.decode("ascii"), []).append(decode_header(field.value))
    return {name: tuple(values) for name, values in headers.items()}

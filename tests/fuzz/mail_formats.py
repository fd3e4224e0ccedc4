"""Fuzz targets for the readers of mail formats."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from mail.addresses import parse_addresses
from mail.charsets import decode
from mail.dates import parse_date
from mail.fields import split_header
from mail.html import html_text
from mail.message import base_subject, decoded_headers, digest
from mail.parameters import parse_parameters
from mail.parts import MAX_LEVELS, MAX_PARTS, parse
from mail.segments import SkeletonError, join, split
from mail.text import body_html, body_text, snippet
from mail.trace import as_shown, authserv_id_of, count_received
from mail.transfer import decode_transfer
from mail.words import decode_header
from tests.corpora import corpora_root

_ENCODINGS = ("base64", "quoted-printable", "x-uuencode", "7bit")
_CHARSETS = ("utf-8", "utf-7", "iso-2022-jp", "gb2312", "hz", "big5", "utf-16", "x")


def message_seeds() -> list[bytes]:
    """Messages of the public suites, smallest first; a few made ones where those are missing."""
    paths = [
        path
        for path in (corpora_root() / "mime").rglob("*")
        if path.suffix in (".msg", ".eml", ".raw") and path.stat().st_size < 20_000
    ]
    seeds = sorted((path.read_bytes() for path in paths), key=lambda data: (len(data), data))
    return seeds or [
        b"From: a@example.org\r\nSubject: =?utf-8?q?x?=\r\n\r\nbody\r\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n"
        b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+eA==\n--b--\n",
    ]


def field_seeds() -> list[bytes]:
    """Values of header fields, of all kinds."""
    values = {f.value for raw in message_seeds() for f in split_header(raw).fields}
    return sorted(values | {b" a@b.test, G: c@d.test;", b" =?utf-8?b?w6Q=?= =?x?q?a?="})


def fuzz_message(data: bytes) -> None:
    """Trees are well-formed, sections unique, limits kept, digests whole."""
    tree = parse(data)
    parts = list(tree.walk())
    assert len(parts) <= MAX_PARTS
    assert len({part.section for part in parts}) == len(parts)
    assert tree.end == len(data)
    level = {tree.section: 1}
    for part in parts:
        assert part.header_start <= part.body_start <= part.end
        low = part.body_start
        for child in part.children:
            assert low <= child.header_start <= child.end <= part.end
            level[child.section] = level[part.section] + 1
            low = child.end
    assert max(level.values()) <= MAX_LEVELS
    found = digest(data, tree)
    assert found.defect == "", found.defect
    decoded_headers(found.fields)
    body_text(data, tree).encode()
    (body_html(data, tree) or "").encode()


def fuzz_segments(data: bytes) -> None:
    """What was cut out comes back, octet for octet; damaged skeletons are refused."""
    cut = split(data, large=40)
    stored = {part.name: part.data for part in cut.parts}
    assert join(cut.skeleton, stored.__getitem__) == data
    assert all(sha256(content).digest() == name for name, content in stored.items())
    try:
        join(b"mS\x01" + data, lambda _: b"")
    except SkeletonError:
        pass


def fuzz_addresses(data: bytes) -> None:
    """An address that was found is found again, alone, without defect."""
    for mailbox in parse_addresses(data).mailboxes:
        mailbox.name.encode()
        if mailbox.domain:
            again = parse_addresses(mailbox.address)
            assert [m.address for m in again.mailboxes] == [mailbox.address]
            assert not again.defects


def fuzz_fields(data: bytes) -> None:
    """Header text, parameters, dates and subjects are text whatever they are made of."""
    text = decode_header(data)
    assert "\n" not in text
    text.encode()
    _, parameters = parse_parameters(data)
    "".join(f"{name}{value}" for name, value in parameters.items()).encode()
    parse_date(data)
    base, _ = base_subject(text)
    assert len(base) <= len(text)
    authserv_id_of(data).encode()


def fuzz_text(data: bytes) -> None:
    """Charsets, transfer encodings, HTML and snippets give text."""
    for encoding in _ENCODINGS:
        decode_transfer(data, encoding)
    text = decode(data, _CHARSETS[data[0] % len(_CHARSETS)] if data else "")
    html_text(text).encode()
    snippet(text).encode()


def fuzz_trace(data: bytes) -> None:
    """A message as shown has our trace fields first, as they are, and all of its body."""
    trace = b"Received: ours\r\n"
    shown = as_shown(data, trace, "mx.example.org")
    header = split_header(shown)
    assert header.fields[0].raw == trace
    assert count_received(shown) >= 1
    body = split_header(data).body
    assert shown.endswith(data[body:])


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "message": (fuzz_message, message_seeds),
    "segments": (fuzz_segments, message_seeds),
    "addresses": (fuzz_addresses, field_seeds),
    "fields": (fuzz_fields, field_seeds),
    "text": (fuzz_text, message_seeds),
    "trace": (fuzz_trace, message_seeds),
}

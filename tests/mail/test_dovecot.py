"""Part trees, sizes, lines and envelopes agree with what Dovecot says of the same messages."""

from __future__ import annotations

import pytest

from mail.message import digest
from mail.parts import Part, parse
from mail.words import decode_header
from tests.dovecot import Value, bytes_of, fetched, list_of

CORPORA = ["asterix-dev-201709", "httpd-users-202007", "notmuch-default", "notmuch-lkml"]

Structure = list["Structure | str | int"]


@pytest.mark.parametrize("name", CORPORA)
def test_trees_sizes_and_lines_are_those_of_dovecot(name: str) -> None:
    compared = 0
    for raw, size, _, structure in fetched(name):
        assert len(raw) == size
        assert _ours(parse(raw), raw) == _dovecots(structure)
        compared += 1
    assert compared


@pytest.mark.parametrize("name", CORPORA)
def test_envelopes_are_those_of_dovecot(name: str) -> None:
    for raw, _, envelope, _ in fetched(name):
        ours = digest(raw)
        _, subject, sender, _, _, to, cc, _, in_reply_to, message_id = envelope
        if isinstance(subject, bytes):
            assert ours.subject == " ".join(decode_header(subject).split())
        assert [m.address for m in ours.from_] == _addresses(sender)
        assert [m.address for m in ours.to] == _addresses(to)
        assert [m.address for m in ours.cc] == _addresses(cc)
        if isinstance(message_id, bytes):
            assert f"<{ours.message_id}>" == message_id.decode().strip()
        if ours.in_reply_to:
            assert ours.in_reply_to in bytes_of(in_reply_to).decode()
        else:
            assert in_reply_to in (None, b"<yes>")  # git send-email, answered by hand


def _addresses(value: Value) -> list[str]:
    """Return addresses as ours are written; Dovecot marks what is missing or a group."""
    found: list[str] = []
    for address in value or []:
        _, _, local, domain = list_of(address)
        if isinstance(local, bytes) and domain == b"MISSING_DOMAIN":
            found.append(local.decode())
        elif isinstance(local, bytes) and isinstance(domain, bytes):
            found.append(f"{local.decode()}@{domain.decode()}")
    return found


def _ours(part: Part, raw: bytes) -> Structure:
    if part.content_type.startswith("multipart/"):
        return [*(_ours(child, raw) for child in part.children), part.content_type[10:]]
    structure: Structure = [part.content_type, part.encoding, part.end - part.body_start]
    if part.children:
        structure.append(_ours(part.children[0], raw))
    if part.content_type.startswith("text/") or part.children:
        structure.append(part.lines(raw))
    return structure


def _dovecots(structure: list[Value]) -> Structure:
    if isinstance(structure[0], list):
        parts = [value for value in structure if isinstance(value, list)]
        subtype = bytes_of(next(v for v in structure if not isinstance(v, list)))
        children = parts[: structure.index(subtype)]
        return [*(_dovecots(child) for child in children), subtype.decode().lower()]
    kind, subtype = (bytes_of(v).decode().lower() for v in structure[:2])
    known: Structure = [
        f"{kind}/{subtype}",
        bytes_of(structure[5]).decode().lower(),
        int(bytes_of(structure[6])),
    ]
    if (kind, subtype) == ("message", "rfc822"):
        known.append(_dovecots(list_of(structure[8])))
        known.append(int(bytes_of(structure[9])))
    elif kind == "text":
        known.append(int(bytes_of(structure[7])))
    return known

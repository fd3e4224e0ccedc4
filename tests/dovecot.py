"""Messages of the threading corpora beside what Dovecot answered for them (FETCH)."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.corpora import corpora

Value = bytes | None | list["Value"]

_ATOM = re.compile(rb"[^ ()\r\n]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_LITERAL = re.compile(rb"\{(\d+)\}\r?\n")
_SEPARATOR = re.compile(rb"(?:\A|\n(?:\n)?)From [^\n]*\n")
_LF = re.compile(rb"(?<!\r)\n")


class Fetched(NamedTuple):
    """One message, with CRLF line ends, and Dovecot's answer for it."""

    raw: bytes
    size: int
    envelope: list[Value]
    structure: list[Value]


def fetched(name: str) -> Iterator[Fetched]:
    """Yield the messages of `threading/name` in Dovecot's order."""
    folder = corpora("threading", name)
    answers = _values(gzip.decompress((folder / "dovecot.fetch.txt.gz").read_bytes()))
    lists = [answer for answer in answers if isinstance(answer, list)]
    for raw, answer in zip(messages(folder), lists, strict=True):
        items = dict(zip((bytes_of(key) for key in answer[::2]), answer[1::2], strict=True))
        yield Fetched(
            _LF.sub(b"\r\n", raw),
            int(bytes_of(items[b"RFC822.SIZE"])),
            list_of(items[b"ENVELOPE"]),
            list_of(items[b"BODYSTRUCTURE"]),
        )


def messages(folder: Path) -> Iterator[bytes]:
    """Yield the messages of one threading corpus in the order in which they were delivered."""
    lines = (folder / "dovecot.order.tsv").read_text().splitlines()
    order = [line.split("\t")[1] for line in lines]
    mbox = folder / "mail.mbox.gz"
    if mbox.exists():
        found = _SEPARATOR.split(gzip.decompress(mbox.read_bytes()).removesuffix(b"\n\n"))[1:]
        for entry in order:
            yield found[int(entry.partition("#")[2])] + b"\n"
    else:
        for entry in order:
            yield (folder / entry.partition("/corpora/")[2]).read_bytes()


def bytes_of(value: Value) -> bytes:
    """The value, which is a string."""
    assert isinstance(value, bytes)
    return value


def list_of(value: Value) -> list[Value]:
    """The value, which is a list."""
    assert isinstance(value, list)
    return value


def _values(data: bytes) -> list[Value]:
    """Read IMAP values (RFC 9051 section 4); an atom NIL is None."""
    top: list[Value] = []
    open_lists = [top]
    pos = 0
    while pos < len(data):
        c = data[pos : pos + 1]
        if c == b"(":
            inner: list[Value] = []
            open_lists[-1].append(inner)
            open_lists.append(inner)
            pos += 1
        elif c == b")":
            open_lists.pop()
            pos += 1
        elif m := _QUOTED.match(data, pos):
            open_lists[-1].append(re.sub(rb"\\(.)", rb"\1", m[1]))
            pos = m.end()
        elif m := _LITERAL.match(data, pos):
            end = m.end() + int(m[1])
            open_lists[-1].append(data[m.end() : end])
            pos = end
        elif m := _ATOM.match(data, pos):
            open_lists[-1].append(None if m[0] == b"NIL" else m[0])
            pos = m.end()
        else:
            pos += 1
    return top

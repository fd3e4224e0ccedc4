"""Messages of an mbox file, whatever quoting it was written with (RFC 4155 and its relatives).

mboxo and mboxrd quote lines that begin with `From ` by `>`; mboxcl does and counts the octets of
each message in Content-Length; mboxcl2 counts and does not quote. What tells them apart is not
in the file, so the counts are believed only when they lead from the first message to the very end
of the file: a single forged Content-Length would otherwise swallow the mails behind it.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

_FROM = re.compile(rb"^From [^\n]*(?:\n|\Z)", re.MULTILINE)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:|>From ")
_TIME = re.compile(rb"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_YEAR = re.compile(rb"\b(?:19[7-9]|20\d)\d\b")
_MONTH = re.compile(rb"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.I | re.M)
_LEADING_BLANKS = re.compile(rb"(?:[ \t]*\r?\n)*")
_MAX_FROM_LINE = 2000
_MAX_HEADER = 1024 * 1024

Bytes = bytes | mmap.mmap


class Message(NamedTuple):
    """One message of an mbox."""

    from_line: bytes
    """The From_ line, without its line end."""
    content: bytes
    """The octets between From_ lines, one level of quoting undone, line ends as they are."""
    end: int
    """Offset in the file of the octet behind the message."""


class _Span(NamedTuple):
    line: int
    start: int
    end: int


def is_mbox(data: Bytes) -> bool:
    """Say whether a file begins as an mbox does."""
    start = _leading(data)
    m = _FROM.match(data, start)
    if m is None:
        return False
    return _is_dated(m[0]) or _FIELD.match(data, m.end()) is not None


def messages(data: Bytes) -> Iterator[Message]:
    """Return the messages of an mbox in order. Never raises."""
    spans = _counted(data)
    if spans is None:
        quoted, found = True, _separated(data)
    else:
        # A line that should have been quoted and is not: nothing was quoted.
        quoted = not any(_FROM.search(data[s.start : s.end]) for s in spans)
        found = iter(spans)
    for span in found:
        content = bytes(data[span.start : span.end])
        if quoted and b">From " in content:
            content = _QUOTED.sub(rb"\1", content)
        yield Message(bytes(data[span.line : span.start]).rstrip(b"\r\n"), content, span.end)


def _leading(data: Bytes) -> int:
    m = _LEADING_BLANKS.match(data)
    return m.end() if m else 0


def _counted(data: Bytes) -> list[_Span] | None:
    """Return the messages by Content-Length, None unless all of them have a true one."""
    spans: list[_Span] = []
    pos, size = _leading(data), len(data)
    while pos < size:
        line = _FROM.match(data, pos)
        if line is None:
            return None
        start = line.end()
        blank = _HEADER_END.search(data, start, start + _MAX_HEADER)
        if blank is None:
            return None
        length = _CONTENT_LENGTH.search(data[start : blank.start()])
        if length is None:
            return None
        end = blank.end() + int(length[1])
        if end > size:
            return None
        spans.append(_Span(pos, start, end))
        blanks = _LEADING_BLANKS.match(data, end)
        pos = end if blanks is None else blanks.end()
    # One message over the whole file, with what looks like others inside, is no chain.
    if len(spans) == 1 and sum(1 for _ in _separated(data)) > 1:
        return None
    return spans or None


def _separated(data: Bytes) -> Iterator[_Span]:
    """Return the messages by their From_ lines."""
    line: tuple[int, int] | None = None
    loose = False
    for m in _FROM.finditer(data, _leading(data)):
        if line is None:
            # A program that writes no date into the first From_ line writes none at all.
            loose = not _is_dated(m[0])
        elif not _separates(data, m, loose):
            continue
        else:
            yield _Span(line[0], line[1], _before(data, line[1], m.start()))
        line = m.span()
    if line is not None:
        yield _Span(line[0], line[1], _before(data, line[1], len(data)))


def _separates(data: Bytes, m: re.Match[bytes], loose: bool) -> bool:
    start = m.start()
    before = data[max(0, start - 3) : start]
    after_blank = before.endswith((b"\n\n", b"\n\r\n"))
    if _is_dated(m[0]):
        # Without the empty line before it, it needs a header behind it.
        return after_blank or _FIELD.match(data, m.end()) is not None
    return loose and after_blank and _FIELD.match(data, m.end()) is not None


def _is_dated(line: bytes) -> bool:
    if len(line) > _MAX_FROM_LINE:
        return False
    return bool(_TIME.search(line) and _YEAR.search(line) and _MONTH.search(line))


def _before(data: Bytes, start: int, end: int) -> int:
    """Return the end of a message whose From_ line, or the end of file, is at `end`.

    The empty line before a From_ line is not the message's.
    """
    tail = data[max(start, end - 3) : end]
    if tail.endswith(b"\n\r\n") or tail == b"\r\n":
        return end - 2
    return end - 1 if tail.endswith(b"\n\n") or tail == b"\n" else end

"""The tree of body parts with exact octet offsets (RFC 2045, RFC 2046).

One pass over the lines that start with "--": the boundaries that are open are looked up in a
dictionary, so the time does not depend on how deep they nest. Nothing raises, and the limits
give a defined result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mail.fields import MAX_FIELDS, Field, Header, header_up_to
from mail.parameters import parse_parameters
from mail.transfer import IDENTITY, decode_transfer
from mail.words import decode_header

MAX_LEVELS = 100
MAX_PARTS = 10_000
TRUNCATED = "truncated"
NO_BOUNDARY = "multipart without boundary"
NO_CLOSE = "multipart without closing delimiter"

# Fields of all headers together, and how many each part has for itself when those are used up.
_MAX_FIELDS = 50_000
_MIN_FIELDS = 32
# Types whose body is a message (RFC 2046 section 5.2.1, RFC 6532 section 3.7).
_MESSAGE_TYPES = frozenset(("message/rfc822", "message/global"))
_LINE_SPACE = b" \t\r\n"


class Part(NamedTuple):
    """One body part; the root is the message itself. Offsets count octets of the raw message."""

    header_start: int
    body_start: int
    end: int
    """Offset after the last octet of the body; the line end before a delimiter is not in it."""
    content_type: str
    """`type/subtype` in lower case; what the RFC says to assume when none or a broken one is."""
    params: dict[str, str]
    """Parameters of Content-Type, names in lower case."""
    encoding: str
    """Content-Transfer-Encoding in lower case, `7bit` when there is none."""
    disposition: str | None
    """Content-Disposition without parameters, in lower case."""
    filename: str | None
    """File name of the disposition, else `name` of the content type, decoded, as sent."""
    content_id: str | None
    """Content-ID without its angle brackets."""
    charset: str | None
    children: tuple[Part, ...]
    """Parts of a multipart; the one message of a message/rfc822."""
    section: str
    """IMAP part number (RFC 9051 section 6.4.5.1): "1.2"; "" for a message that is a multipart,
    and "N.TEXT" for a multipart that is the body of the message in part N."""
    fields: tuple[Field, ...]
    defects: tuple[str, ...]

    def body(self, raw: bytes) -> bytes:
        """Return the body as it stands in `raw`, encoded."""
        return raw[self.body_start : self.end]

    def decoded(self, raw: bytes) -> bytes:
        """Return the body with its transfer encoding undone; a multipart has none."""
        body = raw[self.body_start : self.end]
        return body if self.children else decode_transfer(body, self.encoding)

    def lines(self, raw: bytes) -> int:
        """Return the number of line ends in the body, as IMAP BODYSTRUCTURE counts."""
        return raw.count(b"\n", self.body_start, self.end)

    def header(self) -> Header:
        """Return the header section of this part."""
        return Header(self.fields, self.body_start)

    def walk(self) -> Iterator[Part]:
        """Yield this part and all below it, parents first."""
        stack: list[Part] = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


class _Open:
    """A part whose end is not known yet."""

    __slots__ = (
        "body",
        "boundary",
        "children",
        "content_id",
        "defects",
        "disposition",
        "encoding",
        "fields",
        "filename",
        "kind",
        "params",
        "prefix",
        "section",
        "start",
    )

    def __init__(self, start: int, header: Header, kind: str) -> None:
        self.start = start
        self.body = header.body
        self.fields = header.fields
        self.kind = kind
        self.params: dict[str, str] = {}
        self.encoding = "7bit"
        self.disposition: str | None = None
        self.filename: str | None = None
        self.content_id: str | None = None
        self.defects: tuple[str, ...] = ()
        self.children: list[Part] = []
        self.boundary: bytes | None = None
        """What delimits the children; only while they can still come."""
        self.section = ""
        self.prefix = ""
        """What stands before the numbers of the children in their section."""

    def truncate(self) -> None:
        self.kind, self.params, self.encoding = "application/octet-stream", {}, "binary"
        self.defects = (TRUNCATED,)

    def close(self, end: int) -> Part:
        params = self.params
        return Part(
            self.start,
            self.body,
            end if end > self.body else self.body,
            self.kind,
            params,
            self.encoding,
            self.disposition,
            self.filename or params.get("name"),
            self.content_id,
            params.get("charset"),
            tuple(self.children),
            self.section,
            self.fields,
            self.defects,
        )


def parse(raw: bytes) -> Part:
    """Return the part tree of a message. Never raises, takes time linear in the input.

    A multipart or message at level 100 is a leaf of type application/octet-stream with the
    defect "truncated"; so is the 10,000th part, which reaches to the end of the message.
    """
    return _Scanner(raw).run()


class _Scanner:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._size = len(raw)
        self._stack: list[_Open] = []
        self._active: dict[bytes, int] = {}
        """Boundary -> index in the stack of the multipart that it delimits."""
        self._lengths: list[int] = []
        """Lengths of the active boundaries, longest first."""
        self._count = 0
        # Where the next empty line is, by line end, so that no stretch is searched twice:
        # the last one found, or -1 when there is none up to `_lf_until`.
        self._crlf = self._lf = -2
        self._lf_until = 0
        self._fields_left = _MAX_FIELDS

    def run(self) -> Part:
        raw, size = self._raw, self._size
        self._open(0, "text/plain")
        pos = self._stack[-1].body
        while self._active:
            at = raw.find(b"\n--", pos - 1 if pos else 0)
            if at < 0:
                break
            line_end = raw.find(b"\n", at + 3)
            if line_end < 0:
                line_end = size
            found = self._delimiter(raw[at + 3 : line_end])
            pos = line_end + 1
            if found is None:
                continue
            level, closing = found
            # The line end before a delimiter is its own (RFC 2046 section 5.1.1).
            self._close_above(level, at - 1 if at and raw[at - 1] == 0x0D else at)
            multipart = self._stack[level]
            if closing:
                self._forget(multipart)
                continue
            digest = multipart.kind == "multipart/digest"
            # RFC 2046 section 5.1.5: parts of a digest are messages unless they say otherwise.
            self._open(min(pos, size), "message/rfc822" if digest else "text/plain")
            if self._count >= MAX_PARTS:
                break
            pos = self._stack[-1].body
        self._close_above(0, size)
        root = self._stack[0]
        self._unclosed(root)
        return root.close(size)

    def _delimiter(self, line: bytes) -> tuple[int, bool] | None:
        """Return the level that `line` (without its leading "--") delimits, and whether it closes.

        RFC 2046 section 5.1.1 lets a line that only begins with the boundary be a delimiter. That
        is taken where white space or the closing "--" follows, the longest boundary first, so
        that a boundary which begins with another one is not mistaken for it.
        """
        active = self._active
        exact = line.rstrip(_LINE_SPACE)
        level = active.get(exact)
        if level is not None:
            return level, False
        if exact.endswith(b"--"):
            level = active.get(exact[:-2])
            if level is not None:
                return level, True
        for length in self._lengths:
            if len(line) > length and (level := active.get(line[:length])) is not None:
                if line.startswith(b"--", length):
                    return level, True
                if line[length] in _LINE_SPACE:
                    return level, False
        return None

    def _open(self, start: int, default: str) -> None:
        """Open the part that starts at `start`, and the message in it if it is one."""
        while True:
            header = self._header(start)
            self._fields_left = max(_MIN_FIELDS, self._fields_left - len(header.fields))
            self._count += 1
            opened = _Open(start, header, default)
            if header.fields:
                _read_content_fields(opened)
            nests = self._nests(opened)
            opened.section, opened.prefix = _section(
                self._stack[-1] if self._stack else None, opened.kind.startswith("multipart/")
            )
            self._stack.append(opened)
            if opened.boundary is not None:
                self._active[opened.boundary] = len(self._stack) - 1
                self._measure()
                return
            if not nests:
                return
            start, default = header.body, "text/plain"

    def _nests(self, opened: _Open) -> bool:
        """Whether a message is to be opened inside; finds the boundary of a multipart."""
        multipart = opened.kind.startswith("multipart/")
        message = opened.kind in _MESSAGE_TYPES and opened.encoding in IDENTITY
        if self._count >= MAX_PARTS or (
            (multipart or message) and len(self._stack) + 1 >= MAX_LEVELS
        ):
            opened.truncate()
            return False
        if multipart:
            boundary = opened.params.get("boundary", "").encode("utf-8", "replace")
            if not boundary.strip():
                opened.kind, opened.defects = "text/plain", (NO_BOUNDARY,)
            elif boundary in self._active:
                # One that an outer multipart uses can never be seen from inside.
                opened.defects = (NO_BOUNDARY,)
            else:
                opened.boundary = boundary
        return message

    def _header(self, start: int) -> Header:
        """Return the header at `start`; a delimiter in it ends it (RFC 2046 section 5.1.2)."""
        raw, size = self._raw, self._size
        blank, limit = self._blank(start), min(MAX_FIELDS, self._fields_left)
        if not self._active or raw.startswith((b"\n", b"\r\n"), start):
            return header_up_to(raw, start, size, blank, limit)
        stop = size if blank < 0 else blank
        at = raw.find(b"\n--", start - 1, stop)
        while at >= 0:
            line_end = raw.find(b"\n", at + 3)
            line = raw[at + 3 : size if line_end < 0 else line_end]
            if self._delimiter(line) is not None:
                return header_up_to(raw, start, at + 1, -1, limit)
            at = raw.find(b"\n--", at + 3, stop)
        return header_up_to(raw, start, size, blank, limit)

    def _blank(self, start: int) -> int:
        """Return the line end before the first empty line after `start`, -1 when there is none."""
        raw = self._raw
        if self._crlf != -1 and self._crlf < start:
            self._crlf = raw.find(b"\n\r\n", start)
        crlf = self._crlf
        bound = self._size if crlf < 0 else crlf
        if self._lf < start and self._lf_until < bound:
            self._lf = raw.find(b"\n\n", max(start, self._lf_until - 1), bound)
            self._lf_until = bound if self._lf < 0 else self._lf + 1
        return self._lf if start <= self._lf < bound else crlf

    def _forget(self, multipart: _Open) -> None:
        if multipart.boundary is not None:
            del self._active[multipart.boundary]
            multipart.boundary = None
            self._measure()

    def _measure(self) -> None:
        self._lengths = sorted({len(boundary) for boundary in self._active}, reverse=True)

    def _unclosed(self, opened: _Open) -> None:
        if opened.boundary is not None:
            self._forget(opened)
            opened.defects = (*opened.defects, NO_CLOSE)

    def _close_above(self, level: int, end: int) -> None:
        """Close all parts above `level`, which end at `end`."""
        stack = self._stack
        while len(stack) - 1 > level:
            opened = stack.pop()
            self._unclosed(opened)
            part = opened.close(end)
            stack[-1].children.append(part)
            # A header that a delimiter cut off reaches over the line end before it.
            end = max(end, part.end)


def _read_content_fields(opened: _Open) -> None:
    """Read the Content-* fields; of repeated ones the first counts, as readers do."""
    seen: set[bytes] = set()
    for field in opened.fields:
        name = field.name
        if name[:8] != b"content-" or name in seen:
            continue
        seen.add(name)
        if name == b"content-type":
            kind, opened.params = parse_parameters(field.value)
            if kind.count("/") != 1 or kind[0] == "/" or kind[-1] == "/":
                kind = "text/plain"  # RFC 2045 section 5.2
            opened.kind = kind
        elif name == b"content-transfer-encoding":
            opened.encoding = parse_parameters(field.value)[0]
        elif name == b"content-disposition":
            opened.disposition, extra = parse_parameters(field.value)
            opened.filename = extra.get("filename")
        elif name == b"content-id":
            opened.content_id = decode_header(field.value).strip("<> \t")


def _section(parent: _Open | None, multipart: bool) -> tuple[str, str]:
    """Return the section of a part and the prefix of its children (RFC 9051 section 6.4.5.1)."""
    if parent is None:
        return ("", "") if multipart else ("1", "1.")
    prefix = parent.prefix
    if parent.kind in _MESSAGE_TYPES:
        return (f"{prefix}TEXT", prefix) if multipart else (f"{prefix}1", f"{prefix}1.")
    section = f"{prefix}{len(parent.children) + 1}"
    return section, f"{section}."

"""The tree of body parts with exact octet offsets (RFC 2045, RFC 2046).

One pass over the lines that start with "--": the boundaries that are open are looked up in a
dictionary, so the time does not depend on how deep they nest. Nothing raises, and the limits
give a defined result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mail.fields import Field, Header, header_up_to
from mail.parameters import parse_parameters
from mail.transfer import IDENTITY, decode_transfer
from mail.words import decode_header

MAX_LEVELS = 100
MAX_PARTS = 10_000
TRUNCATED = "truncated"
NO_BOUNDARY = "multipart without boundary"
NO_CLOSE = "multipart without closing delimiter"

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

    __slots__ = ("boundary", "children", "closed", "part", "prefix")

    def __init__(self, part: Part, boundary: bytes | None, prefix: str) -> None:
        self.part = part
        self.boundary = boundary
        self.prefix = prefix
        """What stands before the numbers of the children in their section."""
        self.children: list[Part] = []
        self.closed = False


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
        self._crlf = self._lf = -2
        """Where the next empty line was last seen, so that no stretch is searched twice."""
        self._root: Part | None = None

    def run(self) -> Part:
        raw = self._raw
        self._open(0, "text/plain")
        pos = self._stack[-1].part.body_start
        while self._active:
            at = raw.find(b"\n--", pos - 1 if pos else 0)
            if at < 0:
                break
            line_end = raw.find(b"\n", at + 3)
            if line_end < 0:
                line_end = self._size
            found = self._delimiter(raw[at + 3 : line_end])
            pos = line_end + 1
            if found is None:
                continue
            level, closing = found
            self._close_above(level, at)
            multipart = self._stack[level]
            if closing:
                multipart.closed = True
                self._forget(multipart)
                continue
            start = min(line_end + 1, self._size)
            digest = multipart.part.content_type == "multipart/digest"
            # RFC 2046 section 5.1.5: parts of a digest are messages unless they say otherwise.
            self._open(start, "message/rfc822" if digest else "text/plain")
            if self._count >= MAX_PARTS:
                break
            pos = self._stack[-1].part.body_start
        self._close_above(-1, self._size)
        assert self._root is not None
        return self._root

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
            parent = self._stack[-1] if self._stack else None
            self._count += 1
            opened = self._part(start, header, default, parent)
            self._stack.append(opened)
            if opened.boundary is not None:
                self._active[opened.boundary] = len(self._stack) - 1
                self._measure()
                return
            if opened.part.content_type not in _MESSAGE_TYPES or opened.closed:
                return
            start, default = header.body, "text/plain"

    def _header(self, start: int) -> Header:
        """Return the header at `start`; a delimiter in it ends it (RFC 2046 section 5.1.2)."""
        raw, size = self._raw, self._size
        if self._crlf != -1 and self._crlf < start:
            self._crlf = raw.find(b"\n\r\n", start)
        if self._lf != -1 and self._lf < start:
            self._lf = raw.find(b"\n\n", start)
        crlf, lf = self._crlf, self._lf
        blank = crlf if lf < 0 or 0 <= crlf < lf else lf
        if not self._active:
            return header_up_to(raw, start, size, blank)
        if raw.startswith((b"\n", b"\r\n"), start):
            return header_up_to(raw, start, size, blank)
        stop = size if blank < 0 else blank
        at = raw.find(b"\n--", start - 1, stop)
        while at >= 0:
            line_end = raw.find(b"\n", at + 3)
            line = raw[at + 3 : size if line_end < 0 else line_end]
            if self._delimiter(line) is not None:
                return header_up_to(raw, start, at + 1, -1)
            at = raw.find(b"\n--", at + 3, stop)
        return header_up_to(raw, start, size, blank)

    def _part(self, start: int, header: Header, default: str, parent: _Open | None) -> _Open:
        kind, params, encoding = default, dict[str, str](), "7bit"
        disposition = filename = content_id = None
        seen = 0
        for field in header.fields:
            name = field.name
            if name[:8] != b"content-":
                continue
            if name == b"content-type":
                # Of repeated fields the first counts, as in every reader that we know of.
                if not seen & 1:
                    seen |= 1
                    kind, params = parse_parameters(field.value)
                    if kind.count("/") != 1 or kind[0] == "/" or kind[-1] == "/":
                        kind = "text/plain"  # RFC 2045 section 5.2
            elif name == b"content-transfer-encoding":
                if not seen & 2:
                    seen |= 2
                    encoding = parse_parameters(field.value)[0]
            elif name == b"content-disposition":
                if not seen & 4:
                    seen |= 4
                    disposition, extra = parse_parameters(field.value)
                    filename = extra.get("filename")
            elif name == b"content-id" and content_id is None:
                content_id = decode_header(field.value).strip("<> \t")
        defects: tuple[str, ...] = ()
        boundary: bytes | None = None
        nests = kind.startswith("multipart/")
        message = kind in _MESSAGE_TYPES and encoding in IDENTITY
        if nests or message:
            if len(self._stack) + 1 >= MAX_LEVELS or self._count >= MAX_PARTS:
                nests = message = False
                kind, params, encoding, defects = _truncated()
            elif nests:
                boundary = params.get("boundary", "").encode("utf-8", "replace")
                if not boundary.strip() or boundary in self._active:
                    # One that an outer multipart uses can never be seen from inside.
                    nests, boundary = bool(boundary.strip()), None
                    defects = (NO_BOUNDARY,)
                    kind = kind if nests else "text/plain"
        elif self._count >= MAX_PARTS:
            kind, params, encoding, defects = _truncated()
        section, prefix = _section(parent, kind.startswith("multipart/"))
        part = Part(
            start,
            header.body,
            header.body,
            kind,
            params,
            encoding,
            disposition,
            filename or params.get("name"),
            content_id,
            params.get("charset"),
            (),
            section,
            header.fields,
            defects,
        )
        opened = _Open(part, boundary, prefix)
        opened.closed = not (nests or message)
        return opened

    def _forget(self, multipart: _Open) -> None:
        if multipart.boundary is not None:
            del self._active[multipart.boundary]
            self._measure()

    def _measure(self) -> None:
        self._lengths = sorted({len(boundary) for boundary in self._active}, reverse=True)

    def _close_above(self, level: int, line_end: int) -> None:
        """Close all parts above `level`; `line_end` is the line end that the delimiter owns."""
        stack, raw = self._stack, self._raw
        end = line_end
        if line_end < self._size and end and raw[end - 1] == 0x0D:
            end -= 1
        while len(stack) - 1 > level:
            opened = stack.pop()
            part, defects = opened.part, opened.part.defects
            if opened.boundary is not None and not opened.closed:
                self._forget(opened)
                defects = (*defects, NO_CLOSE)
            closed = part._replace(
                end=max(part.body_start, end), children=tuple(opened.children), defects=defects
            )
            if stack:
                stack[-1].children.append(closed)
            else:
                self._root = closed


def _truncated() -> tuple[str, dict[str, str], str, tuple[str, ...]]:
    return "application/octet-stream", {}, "binary", (TRUNCATED,)


def _section(parent: _Open | None, multipart: bool) -> tuple[str, str]:
    """Return the section of a part and the prefix of its children (RFC 9051 section 6.4.5.1)."""
    if parent is None:
        return ("", "") if multipart else ("1", "1.")
    if parent.part.content_type in _MESSAGE_TYPES:
        return (
            (f"{parent.prefix}TEXT", parent.prefix)
            if multipart
            else (f"{parent.prefix}1", f"{parent.prefix}1.")
        )
    section = f"{parent.prefix}{len(parent.children) + 1}"
    return section, f"{section}."

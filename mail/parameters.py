"""Values with parameters, as of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2231)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from mail.charsets import decode
from mail.fields import unfold
from mail.words import clean, decode_header

# What nearly all mail says; anything else goes the long way.
_MAIN = re.compile(rb"[ \t]*+([a-z0-9.+-]++(?:/[a-z0-9.+-]++)?)[ \t]*+(?:;|\Z)", re.IGNORECASE)
_SIMPLE = re.compile(
    rb'[ \t\r\n]*+([a-z-]++)=(?:"([ !#->@-\[\]-~]*+)"|([a-z0-9._=-]++))[ \t]*+(?:;[ \t\r\n]*+|\Z)',
    re.IGNORECASE,
)
# The first alternative of a value is a quoted string (an unterminated one runs to the end), the
# second takes what stands before ";", blanks included, since file names are sent so.
_PARAMETER = re.compile(
    rb"([^\s;=()\"]++)\s*+=\s*+"
    rb'(?:"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|([^;]*+))',
    re.DOTALL,
)
_SEPARATORS = re.compile(rb"[;\s]*+")
_SKIP = re.compile(rb'(?:[^;"]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+(?:;|\Z)', re.DOTALL)
_SECTION = re.compile(r"(.+?)(?:\*(0|[1-9][0-9]{0,3}))?(\*)?\Z", re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*+\)", re.DOTALL)
_MAX_PARAMETERS = 1_000
MAX_VALUE = 64 * 1024
"""Octets of a value that are read; what follows is not."""


def parse_parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """Return the main value and the parameters, names in lower case, values decoded.

    The main value is in lower case, without comments. Continuations and charsets are undone as
    RFC 2231 sections 3 and 4 say; encoded words, which RFC 2047 section 5 forbids here, are
    decoded because many composers send them. The first of two equal names counts, and the
    extended form (`name*`) before the plain one. Never raises.
    """
    if len(value) > MAX_VALUE:
        value = value[:MAX_VALUE]
    m = _MAIN.match(value)
    if m is not None:
        kind, pos, parameters = m[1].decode("ascii").lower(), m.end(), dict[str, str]()
        while pos < len(value) and (p := _SIMPLE.match(value, pos)) is not None:
            name, quoted, token = p.groups()
            text = token if quoted is None else quoted
            parameters.setdefault(name.decode("ascii").lower(), text.decode("ascii"))
            pos = p.end()
        if pos == len(value):
            return kind, parameters
    return _parse(unfold(value))


def _parse(value: bytes) -> tuple[str, dict[str, str]]:
    m = _SKIP.match(value)
    end = 0 if m is None else m.end()
    head, rest = value[:end].removesuffix(b";"), value[end:]
    if b"(" in head:
        head = _COMMENT.sub(b" ", head)
    words = head.split()
    main = words[0].decode("utf-8", "replace").lower() if words else ""
    if b"=" in head:  # `text/plain charset=x`: a missing semicolon; or no main value at all
        first = head.find(words[0]) + len(words[0]) if b"=" not in words[0] else 0
        main = main if first else ""
        rest = value[first:]
    plain: dict[str, bytes] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    pos = count = 0
    while pos < len(rest) and count < _MAX_PARAMETERS:
        count += 1
        separators = _SEPARATORS.match(rest, pos)
        pos = pos if separators is None else separators.end()
        m = _PARAMETER.match(rest, pos)
        if m is None:
            skip = _SKIP.match(rest, pos)
            pos = max(pos + 1, len(rest) if skip is None else skip.end())
            continue
        pos = m.end()
        name = m[1].decode("utf-8", "replace").lower()
        data = _value(name, m[2], m[3])
        section = _SECTION.match(name) if "*" in name else None
        if section is None:
            plain.setdefault(name, data)
        else:
            base, number, extended = section.groups()
            found = sections.setdefault(base, {})
            found.setdefault(int(number or 0), (data, extended is not None))
    # A boundary is compared octet by octet and is no text to decode words in.
    parameters = {
        name: clean(decode(data)) if name == "boundary" else decode_header(data)
        for name, data in plain.items()
    }
    for name, found in sections.items():
        if 0 in found:
            parameters[name] = _join(found)
    return main, parameters


def _value(name: str, quoted: bytes | None, bare: bytes) -> bytes:
    if quoted is not None:
        return _QUOTED_PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
    bare = bare.strip()
    # An unquoted file name holds blanks and brackets in practice; elsewhere they end the value.
    if name.startswith(("name", "filename")) or bare.startswith(b"=?"):
        return bare
    if b"(" in bare:
        bare = _COMMENT.sub(b" ", bare)
    return bare.split(None, 1)[0] if bare.strip() else b""


def _join(sections: dict[int, tuple[bytes, bool]]) -> str:
    """Put the sections of one parameter together (RFC 2231 section 3); a gap ends it."""
    first, extended = sections[0]
    charset = ""
    if extended and first.count(b"'") >= 2:
        name, _, first = first.split(b"'", 2)  # charset'language'value (section 4)
        charset = name.decode("ascii", "replace")
    pieces: list[bytes] = []
    number = 0
    while number in sections:
        data, extended = (first, sections[0][1]) if number == 0 else sections[number]
        pieces.append(unquote_to_bytes(data) if extended else data)
        number += 1
    joined = b"".join(pieces)
    if not charset and b"=?" in joined:
        return decode_header(joined)
    return clean(decode(joined, charset))

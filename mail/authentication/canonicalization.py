"""The canonical forms of header fields and bodies that DKIM and ARC sign (RFC 6376 section 3.4)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from mail.fields import Field

Canonicalization: TypeAlias = Literal["simple", "relaxed"]

# Blank lines at the end are cut in blocks, so that a megabyte of them costs no more than a copy.
_BLOCKS = tuple(b"\r\n" * count for count in (32768, 512, 16, 1))


def canonical_field(field: Field, method: Canonicalization) -> bytes:
    """Return `field` as it is hashed, CRLF included."""
    if method == "simple":
        # Section 3.4.1: unchanged. A message that ends within its header lacks the line end.
        return field.raw if field.raw.endswith(b"\r\n") else field.raw.rstrip(b"\r\n") + b"\r\n"
    return relaxed_field(field.name, field.value)


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """Return a field in relaxed form, CRLF included (section 3.4.2)."""
    unfolded = value.replace(b"\r\n", b"")
    return name.lower() + b":" + _single_spaced(unfolded).strip(b" ") + b"\r\n"


def canonical_body(body: bytes, method: Canonicalization) -> bytes:
    """Return `body` as it is hashed, before any l= limit."""
    if method == "relaxed":
        # Section 3.4.4 (a): white space at the end of lines goes, other runs become one space.
        # A CR without LF is content, and so is a space that the body ends in without a line end.
        body = _without_blank_end(_single_spaced(body).replace(b" \r\n", b"\r\n"))
        # Erratum 1384: a body of blank lines alone is empty in relaxed form.
        if body in (b"", b"\r\n"):
            return b""
        return body if body.endswith(b"\r\n") else body + b"\r\n"
    body = _without_blank_end(body)
    # Section 3.4.3: an empty or unterminated body is completed with CRLF.
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _single_spaced(text: bytes) -> bytes:
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _without_blank_end(body: bytes) -> bytes:
    # What remains ends in at most one CRLF.
    end = len(body)
    for block in _BLOCKS:
        while body.endswith(block, 0, end) and (
            end == len(block) or body.endswith(b"\r\n", 0, end - len(block))
        ):
            end -= len(block)
    return body[:end]

"""The tag=value lists of DKIM signatures, key records and ARC seals (RFC 6376 section 3.2)."""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*\Z")
# Neither VALCHAR nor white space; octets above 127 are allowed as the note in section 3.2 advises
# (RFC 8616 uses them).
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# No list in use comes near: a bound on the work that one field can cause.
_LONGEST = 64 * 1024
_SPACES = b" \t\r\n"
_SPACE = re.compile(rb"[ \t\r\n]+")


class TagListError(ValueError):
    """The text is not a tag-list; `args[0]` says why."""


class Tag(NamedTuple):
    """One tag with its value, stripped, and where the unstripped value stands in the text."""

    value: bytes
    start: int
    end: int

    @property
    def text(self) -> str:
        """The value as text; octets that are not UTF-8 become surrogates."""
        return self.value.decode("utf-8", "surrogateescape")

    @property
    def packed(self) -> bytes:
        """The value without any white space."""
        return _SPACE.sub(b"", self.value)

    def items(self) -> list[str]:
        """Return the members of a colon-separated list, in lower case."""
        return [item.strip().lower() for item in self.text.split(":")]

    def octets(self) -> bytes:
        """Decode base64, white space ignored. Raises TagListError when it is not base64."""
        try:
            return binascii.a2b_base64(self.packed, strict_mode=True)
        except binascii.Error as error:
            raise TagListError("a value is not base64") from error


def parse_tag_list(text: bytes) -> dict[str, Tag]:
    """Parse a tag-list, in order. Names are case-sensitive.

    Raises TagListError: more than 64 kB, a spec without "=", an empty spec before the end, a
    character that is not allowed, or a name that occurs twice, which makes the list invalid.
    """
    if len(text) > _LONGEST:
        raise TagListError("it is too long")
    if _CONTROL.search(text):
        raise TagListError("it holds a control character")
    specs = text.split(b";")
    if not specs[-1].strip(_SPACES):
        specs.pop()
    if not specs:
        raise TagListError("it is empty")
    tags: dict[str, Tag] = {}
    at = 0
    for spec in specs:
        before, equals, value = spec.partition(b"=")
        name = before.strip(_SPACES)
        if not equals or _NAME.match(name) is None:
            raise TagListError("it is not a list of name=value")
        end = at + len(spec)
        tag = name.decode("ascii")
        if tag in tags:
            raise TagListError(f"the tag {tag}= occurs twice")
        tags[tag] = Tag(value.strip(_SPACES), end - len(value), end)
        at = end + 1
    return tags


def quoted_printable(value: bytes) -> bytes:
    """Decode dkim-quoted-printable (RFC 6376 section 2.11): white space goes, =XX is an octet.

    Raises TagListError for an "=" that no two upper-case hexadecimal digits follow.
    """
    packed = _SPACE.sub(b"", value)
    if re.search(rb"=(?![0-9A-F]{2})", packed):
        raise TagListError("a quoted-printable value is malformed")
    return re.sub(rb"=([0-9A-F]{2})", lambda m: bytes((int(m[1], 16),)), packed)

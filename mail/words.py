"""Text of unstructured header fields: encoded words (RFC 2047), raw UTF-8 and 8-bit octets."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from mail.charsets import decode
from mail.fields import unfold

# Encoded-text holds neither space nor "?" (RFC 2047 section 2); both are seen in the wild and
# harmless. The bound on stray "?" keeps the match linear.
_WORD = re.compile(
    rb"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?([^?]*(?:(?<!=)\?(?!=)[^?]*){0,4})\?="
)
# What a header does not hold once it is text: line ends, tabs and other controls.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def decode_header(value: bytes, hint: str = "") -> str:
    """Return an unstructured field value as text, unfolded, controls turned into spaces.

    `hint` is the charset tried for raw octets that are not UTF-8. Never raises.
    """
    value = unfold(value)
    if b"=?" not in value:
        return clean(_raw(value, hint)).strip()
    return clean("".join(_pieces(value, hint))).strip()


def decode_words(text: str) -> str:
    """Return `text` with the encoded words in it decoded; what is no encoded word stays."""
    if "=?" not in text:
        return text
    return clean("".join(_pieces(text.encode("utf-8", "replace"), "")))


def _raw(data: bytes, hint: str) -> str:
    return data.decode("ascii") if data.isascii() else decode(data, "", hint)


def clean(text: str) -> str:
    """Return `text` with each run of control characters, line ends among them, as one space."""
    return _CONTROLS.sub(" ", text)


def _pieces(value: bytes, hint: str) -> Iterator[str]:
    pending: list[bytes] = []
    charset = ""
    last = 0
    for word in _WORD.finditer(value):
        between = value[last : word.start()]
        name = word[1].decode("ascii", "replace").lower()
        # White space between adjacent encoded words is not shown (RFC 2047 section 6.2). Words
        # of one charset are decoded together, as some composers split characters across words.
        adjacent = bool(pending) and not between.strip()
        if pending and (not adjacent or name != charset):
            yield decode(b"".join(pending), charset)
            pending = []
        if not adjacent and between:
            yield _raw(between, hint)
        charset = name
        pending.append(_payload(word[2], word[3]))
        last = word.end()
    if pending:
        yield decode(b"".join(pending), charset)
    yield _raw(value[last:], hint)


def _payload(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text.replace(b" ", b"_"), header=True)
    return decode_base64(text)


def decode_base64(data: bytes) -> bytes:
    """Return what the base64 in `data` holds; other octets are skipped, padding may be missing.

    RFC 2045 section 6.8: characters outside the alphabet are ignored, and "=" is the end.
    """
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        digits = _NOT_BASE64.sub(b"", data.partition(b"=")[0])
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))

"""Content-Transfer-Encoding undone (RFC 2045 section 6), forgiving and linear."""

from __future__ import annotations

import binascii
import re

from mail.words import decode_base64

IDENTITY = frozenset(("7bit", "8bit", "binary", ""))
_UUENCODE = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
# RFC 2045 section 6.7 rule 3: white space at the end of a line was added on the way.
_PADDING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_PADDED = (b" \r", b" \n", b"\t\r", b"\t\n")
_BARE_CR = re.compile(rb"=\r(?!\n)")


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Return the content behind a transfer encoding (lower case). Never raises.

    An encoding that is not known leaves the octets as they are (RFC 2045 section 6.4).
    """
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return _quoted_printable(data)
    if encoding in _UUENCODE:
        return _uudecode(data)
    return data


def _quoted_printable(data: bytes) -> bytes:
    if any(mark in data for mark in _PADDED) or data[-1:] in (b" ", b"\t"):
        data = _PADDING.sub(b"", data)
    # The decoder takes "=" CR for a soft line break and skips to the next LF.
    if b"=\r" in data:
        data = _BARE_CR.sub(b"=\n", data)
    return binascii.a2b_qp(data)


def _uudecode(data: bytes) -> bytes:
    lines = iter(data.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    decoded: list[bytes] = []
    for line in lines:
        if line.strip() == b"end":
            break
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad lines with garbage: the first octet says how many count.
            count = ((line[0] - 32) & 63) * 4 // 3 + 1 if line else 0
            try:
                decoded.append(binascii.a2b_uu(line[: count + 1]))
            except binascii.Error:
                break
    return b"".join(decoded)

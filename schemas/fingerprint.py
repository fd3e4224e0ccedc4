"""Keyed fingerprints (HMAC-SHA256) under the installation's secret.

They let threading, duplicate detection and part sharing work on events alone, and go on working
after the text is erased, without telling a reader of the topics what the text was.
"""

from __future__ import annotations

import hmac


class Fingerprint:
    """Fingerprints of one installation; `secret` is 32 octets that never leave it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the installation secret has 32 octets")
        self._secret = secret

    def _of(self, *values: bytes) -> bytes:
        framed = b"".join([x for v in values for x in (len(v).to_bytes(4, "big"), v)])
        return hmac.digest(self._secret, framed, "sha256")

    def raw(self, sha256_of_message: bytes) -> bytes:
        """Return the 32-octet fingerprint of a message, given its SHA-256."""
        return self._of(b"raw", sha256_of_message)

    def part(self, sha256_of_part: bytes) -> bytes:
        """Return the 32-octet name of a part in the parts store, given its SHA-256."""
        return self._of(b"part", sha256_of_part)

    def reverse_path(self, reverse_path: str) -> bytes:
        """Return the 16-octet fingerprint of a reverse-path."""
        return self._of(b"reverse-path", reverse_path.encode("utf-8", "surrogateescape"))[:16]

    def forwarded(self, text: str) -> bytes:
        """Return the 32-octet fingerprint of what a rewritten reverse-path says."""
        return self._of(b"forwarded", text.encode("utf-8", "surrogatepass"))

    def in_mailbox(self, mailbox_id: str, kind: str, value: str) -> bytes:
        """Return the 16-octet fingerprint of a `kind` of value, different in each mailbox."""
        return self._of(mailbox_id.encode(), kind.encode(), value.encode("utf-8", "surrogatepass"))[
            :16
        ]

"""Identifiers: UUIDv5 for what follows from something, UUIDv7 for what is new (RFC 9562).

Identifiers are strings in the usual 36-character form everywhere but in storage.
"""

from __future__ import annotations

from hashlib import sha1

# The namespace of all names below: a constant of this project, made once.
_NAMESPACE = bytes.fromhex("6d61696c666f6c644a00a000000001d5")


def _format(b: bytes) -> str:
    h = b.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def derived(*names: str | bytes) -> str:
    """Return the UUIDv5 (RFC 9562 section 5.5) of a sequence of names.

    Each name is preceded by its length, so that no two sequences run together.
    """
    framed = [_NAMESPACE]
    for n in names:
        b = n.encode() if isinstance(n, str) else n
        framed += (len(b).to_bytes(4, "big"), b)
    d = bytearray(sha1(b"".join(framed), usedforsecurity=False).digest()[:16])
    d[6] = d[6] & 0x0F | 0x50
    d[8] = d[8] & 0x3F | 0x80
    return _format(bytes(d))


def timed(now: int, random: bytes) -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7) for `now` (microseconds) and 10 random octets.

    The 12 bits after the milliseconds hold the fraction, so identifiers ascend within one too.
    """
    ms, us = divmod(now, 1000)
    d = bytearray(ms.to_bytes(6, "big") + b"\0\0" + random[2:10])
    fraction = us * 4096 // 1000
    d[6] = 0x70 | fraction >> 8
    d[7] = fraction & 0xFF
    d[8] = d[8] & 0x3F | 0x80
    return _format(bytes(d))


def time_of(mail_id: str) -> int | None:
    """Return the time in a UUIDv7, microseconds; None for any other identifier."""
    if len(mail_id) != 36 or mail_id[14] != "7":
        return None
    return int(mail_id[:8] + mail_id[9:13], 16) * 1000


def event_id(cause: str, step: str, ordinal: int = 0) -> str:
    """Return the identity of the `ordinal`-th event that `step` makes of `cause`."""
    return derived("event", cause, step, str(ordinal))


def message_id(mailbox_id: str, mail_id: str) -> str:
    """Return the identity of a mail in a mailbox."""
    return derived("message", mailbox_id, mail_id)


def thread_id(mailbox_id: str, root_hash: bytes) -> str:
    """Return the identity of the conversation whose root Message-ID has that HMAC."""
    return derived("thread", mailbox_id, root_hash)


def deliver_id(mail_id: str, mailbox_id: str) -> str:
    """Return the identity of the command that delivers a mail into a mailbox."""
    return derived("deliver", mail_id, mailbox_id)


def submission_id(mail_id: str, ordinal: int) -> str:
    """Return the identity of the submission to the `ordinal`-th target that a mail came with."""
    return derived("submission", mail_id, str(ordinal))


def bounce_id(submission_id: str) -> str:
    """Return the identity of the submission that reports the failure of another."""
    return derived("bounce", submission_id)


def imported_mail_id(mailbox_id: str, raw_hmac: bytes) -> str:
    """Return the identity of an imported mail: same bytes in the same mailbox, same mail."""
    return derived("import", mailbox_id, raw_hmac)


def client_command_id(mailbox_id: str, idempotency_key: str) -> str:
    """Return the identity of the command that a client's Idempotency-Key stands for."""
    return derived("command", mailbox_id, idempotency_key)


def to_bytes(identifier: str) -> bytes:
    """Return the 16 octets of an identifier. Raises ValueError when it is none."""
    b = bytes.fromhex(identifier.replace("-", ""))
    if len(b) != 16:
        raise ValueError("not an identifier")
    return b


def from_bytes(octets: bytes) -> str:
    """Return the identifier of 16 octets."""
    return _format(octets)

"""From the bytes at a door to the Arrival that the intake makes durable.

Pure: clock and random numbers are handed in. Every door goes this way, so that imported and
received mail are the same to all that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from infra.ports import Arrival, Clock, Output, Random
from ingress.client import network_of
from mail.segments import LARGE, split
from schemas.events import Received
from schemas.fingerprint import Fingerprint
from schemas.identity import event_id, imported_mail_id, timed
from schemas.parts import Forward, PartRef, ReceivedSecret, Source
from schemas.seal import seal

MAX_SKELETON = 128 * 1024
"""A larger skeleton goes to the parts store whole, octets."""

MAX_PARTS = 1000
"""Large parts that a record names at most: in a mail of more, only larger ones are large."""

MAX_FORWARD_PATHS = 1000
"""With paths of 256 octets (RFC 5321 section 4.5.3.1.3) this keeps a record below 512 KiB."""

MAX_FORWARDS = 200
"""The same for the addresses on other hosts that one mail goes on to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a door knows of a mail beside its bytes. Paths are without angle brackets."""

    source: Source
    client_address: str = ""
    client_name: str = ""
    helo: str = ""
    reverse_path: str = ""
    forward_paths: Sequence[str] = ()
    forwards: Sequence[Forward] = ()
    """Addresses on other hosts that the mail goes on to, repeats allowed."""
    smtputf8: bool = False
    tls_version: str = ""
    tls_cipher: str = ""


def fingerprint_of(raw: bytes, fingerprint: Fingerprint) -> bytes:
    """Return the fingerprint of a whole message, 32 octets."""
    return fingerprint.raw(sha256(raw).digest())


def arrival(
    raw: bytes,
    envelope: Envelope,
    mailboxes: Sequence[str],
    *,
    key: bytes,
    random: Random,
    clock: Clock,
    fingerprint: Fingerprint,
) -> Arrival:
    """Return the Arrival of a mail that comes through a door now.

    `mailboxes` are mailbox_ids, repeats allowed; `key` is fresh, 32 octets. Raises ValueError for
    more than MAX_FORWARD_PATHS recipients.
    """
    now = clock()
    return _arrival(
        raw,
        envelope,
        mailboxes,
        mail_id=timed(now, random(10)),
        key=key,
        received_at=now,
        internal_date=now,
        labels=(),
        flags=(),
        raw_hmac=fingerprint_of(raw, fingerprint),
        random=random,
        fingerprint=fingerprint,
    )


def imported(
    raw: bytes,
    mailbox_id: str,
    *,
    raw_hmac: bytes,
    internal_date: int,
    labels: Sequence[str],
    flags: Sequence[str],
    key: bytes,
    random: Random,
    clock: Clock,
    fingerprint: Fingerprint,
) -> Arrival:
    """Return the Arrival of a mail that another store kept.

    `raw_hmac` is fingerprint_of(raw); `internal_date` is in microseconds. The identity follows
    from mailbox and bytes, so `key` must be the one that the key store holds for it, if any:
    whichever of two imports of a mail gets into the log first, that key opens it.
    """
    return _arrival(
        raw,
        Envelope(source="import"),
        (mailbox_id,),
        mail_id=imported_mail_id(mailbox_id, raw_hmac),
        key=key,
        received_at=clock(),
        internal_date=internal_date,
        labels=labels,
        flags=flags,
        raw_hmac=raw_hmac,
        random=random,
        fingerprint=fingerprint,
    )


def _arrival(
    raw: bytes,
    envelope: Envelope,
    mailboxes: Sequence[str],
    *,
    mail_id: str,
    key: bytes,
    received_at: int,
    internal_date: int,
    labels: Sequence[str],
    flags: Sequence[str],
    raw_hmac: bytes,
    random: Random,
    fingerprint: Fingerprint,
) -> Arrival:
    if len(envelope.forward_paths) > MAX_FORWARD_PATHS:
        raise ValueError("too many forward-paths for one record")
    forwards = _unrepeated(envelope.forwards)
    if len(forwards) > MAX_FORWARDS:
        raise ValueError("too many addresses on other hosts for one record")
    identity = event_id(mail_id, "received")
    skeleton, parts = _stored(raw, fingerprint)
    skeleton_part = b""
    if len(skeleton) > MAX_SKELETON:
        skeleton_part = fingerprint.part(sha256(skeleton).digest())
        parts[skeleton_part] = skeleton
        skeleton = b""
    secret = ReceivedSecret(
        client_address=envelope.client_address,
        client_name=envelope.client_name,
        helo=envelope.helo,
        reverse_path=envelope.reverse_path,
        forward_paths=list(envelope.forward_paths),
        skeleton=skeleton,
        skeleton_part=skeleton_part,
        forwards=forwards,
    )
    received = Received(
        event_id=identity,
        mail_id=mail_id,
        occurred_at=received_at,
        source=envelope.source,
        size=len(raw),
        received_at=received_at,
        internal_date=internal_date,
        tls_version=envelope.tls_version,
        tls_cipher=envelope.tls_cipher,
        smtputf8=envelope.smtputf8,
        client_network=network_of(envelope.client_address),
        sender_domain=_domain(envelope.reverse_path),
        mailboxes=list(dict.fromkeys(mailboxes)),
        forwards=len(forwards),
        labels=list(labels),
        flags=list(flags),
        parts=[PartRef(name=name, size=len(data)) for name, data in parts.items()],
        raw_hmac=raw_hmac,
        reverse_path_hmac=fingerprint.reverse_path(envelope.reverse_path),
        sealed=seal(secret, key, identity, random),
    )
    return Arrival(received=Output.of(received), mail_id=mail_id, key=key, parts=parts)


def _unrepeated(forwards: Sequence[Forward]) -> list[Forward]:
    found: dict[str, Forward] = {}
    for forward in forwards:
        found.setdefault(forward.address, forward)
    return list(found.values())


def _stored(raw: bytes, fingerprint: Fingerprint) -> tuple[bytes, dict[bytes, bytes]]:
    cut, large = split(raw), LARGE
    while len(cut.parts) > MAX_PARTS:
        large *= 2
        cut = split(raw, large=large)
    return cut.skeleton, {fingerprint.part(p.name): p.data for p in cut.parts}


def _domain(reverse_path: str) -> str:
    # A quoted local part may hold an "@" too; the domain follows the last one.
    return reverse_path.rpartition("@")[2].lower() if "@" in reverse_path else ""

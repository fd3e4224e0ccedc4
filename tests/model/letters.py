"""Letters of a made-up correspondence, and the content that a mailbox stage finds of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.ports import Content, Record
from mail.segments import split
from schemas import commands as c
from schemas import identity, parts
from schemas.codec import encode
from schemas.events import Received
from schemas.seal import seal
from schemas.topics import MAIL_RECEIVED
from tests.fakes import FINGERPRINT

THREAD_OF = "of:"
"""A history names a thread by one of its messages: this, then the message's identifier."""


@dataclass(frozen=True)
class Letter:
    """A mail in plain words; times in microseconds. `text` stands for its bytes."""

    mail_id: str
    text: str
    author: str = "ann@a.test"
    to: tuple[str, ...] = ()
    subject: str = ""
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    reverse_path: str = "ann@a.test"
    source: parts.Source = "smtp"
    received_at: int = 0
    dated: int = 0
    labels: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    verdict: parts.Verdict = "ham"
    disposition: parts.Policy = "none"
    attachments: tuple[str, ...] = field(default=())


def digest_of(letter: Letter) -> parts.Digest:
    """Return what the inbound stage would have read."""

    def box(address: str) -> parts.Mailbox:
        return parts.Mailbox(name="", address=address)

    return parts.Digest(
        author=[box(letter.author)],
        to=[box(a) for a in letter.to],
        subject=letter.subject,
        message_id_header=letter.message_id,
        in_reply_to=list(letter.in_reply_to),
        references=list(letter.references),
        snippet=letter.text,
        parts=[
            parts.PartSummary(section=str(i + 2), filename=name, content_type="text/plain", size=1)
            for i, name in enumerate(letter.attachments)
        ],
        trace=b""
        if letter.source == "import"
        else f"Return-Path: <{letter.reverse_path}>\r\n".encode(),
    )


def received_of(letter: Letter, key: bytes) -> Received:
    """Return the Received of a letter, sealed."""
    event_id = identity.event_id(letter.mail_id, "received")
    secret = parts.ReceivedSecret(
        client_address="192.0.2.7",
        client_name="mx.a.test",
        helo="mx.a.test",
        reverse_path=letter.reverse_path,
        forward_paths=["me@example.test"],
        skeleton=split(b"\r\n" + letter.text.encode()).skeleton,
    )
    return Received(
        event_id=event_id,
        mail_id=letter.mail_id,
        occurred_at=letter.received_at,
        source=letter.source,
        size=len(letter.text),
        received_at=letter.received_at,
        internal_date=letter.dated,
        mailboxes=[],
        raw_hmac=FINGERPRINT.raw(letter.text.encode()),
        reverse_path_hmac=FINGERPRINT.reverse_path(letter.reverse_path),
        sealed=seal(secret, key, event_id),
    )


def content_of(letter: Letter, key: bytes) -> Content:
    """Return the content of a letter under the content key `key`."""
    received = received_of(letter, key)
    record = Record(
        MAIL_RECEIVED,
        0,
        0,
        letter.mail_id,
        "Received",
        received.event_id,
        letter.received_at,
        encode(received),
    )
    return Content(record, b"", b"", seal(digest_of(letter), key, letter.mail_id))


def deliver(letter: Letter, mailbox_id: str, command_id: str, now: int) -> c.Deliver:
    """Return the command that delivers a letter."""
    return c.Deliver(
        command_id=command_id,
        mailbox_id=mailbox_id,
        occurred_at=now,
        actor="import" if letter.source == "import" else "mx",
        mail_id=letter.mail_id,
        authenticated_id="",
        scored_id="",
        verdict=letter.verdict,
        disposition=letter.disposition,
        source=letter.source,
        size=len(letter.text),
        received_at=letter.received_at,
        internal_date=letter.dated,
        labels=list(letter.labels),
        flags=list(letter.flags),
        raw_hmac=FINGERPRINT.raw(letter.text.encode()),
        reverse_path_hmac=FINGERPRINT.reverse_path(letter.reverse_path),
    )

"""Events of a mail, before it reaches a mailbox.

Field for field what the .avsc files say, in which the meaning and the unit of each field stands.
"""

from __future__ import annotations

from msgspec import Struct, field

from schemas.parts import Arc, Dkim, Dmarc, IpRev, PartRef, RuleHit, Source, Spf, Verdict


class MailEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A fact about a mail."""

    event_id: str
    mail_id: str
    occurred_at: int
    caused_by: str | None = None


class Received(MailEvent, frozen=True, kw_only=True):
    """A mail was accepted at a door; durable before the sender saw 250."""

    source: Source
    size: int
    received_at: int
    internal_date: int
    tls_version: str = ""
    tls_cipher: str = ""
    smtputf8: bool = False
    client_network: str = ""
    sender_domain: str = ""
    mailboxes: list[str]
    labels: list[str] = field(default_factory=list[str])
    flags: list[str] = field(default_factory=list[str])
    parts: list[PartRef] = field(default_factory=list[PartRef])
    raw_hmac: bytes
    reverse_path_hmac: bytes
    sealed: bytes


class Authenticated(MailEvent, frozen=True, kw_only=True):
    """SPF, DKIM, ARC, DMARC and iprev of a mail were judged."""

    spf: Spf
    dkim: list[Dkim] = field(default_factory=list[Dkim])
    arc: Arc
    dmarc: Dmarc
    iprev: IpRev
    sealed: bytes


class Scored(MailEvent, frozen=True, kw_only=True):
    """A mail was scored."""

    verdict: Verdict
    probability: float
    threshold: float
    rules: list[RuleHit] = field(default_factory=list[RuleHit])
    blocklists: list[str] = field(default_factory=list[str])
    model_id: str
    reason: str = ""
    sealed: bytes

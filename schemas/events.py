"""Events of a mail outside of mailboxes: how it came, was judged, and was sent on.

Field for field what the .avsc files say, in which the meaning and the unit of each field stands.
"""

from __future__ import annotations

from msgspec import Struct, field

from schemas.parts import (
    Arc,
    Dkim,
    Dmarc,
    IpRev,
    Outcome,
    PartRef,
    RuleHit,
    Source,
    Spf,
    SubmittedBy,
    Verdict,
)


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
    forwards: int = 0
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


class Submitted(MailEvent, frozen=True, kw_only=True):
    """A mail is to be sent to one address on another host. Its event_id names the submission."""

    reason: SubmittedBy
    via_domain: str
    sender_domain: str = ""
    target_domain: str
    size: int = 0
    suppressed: str = ""
    bounceable: bool = False
    sealed: bytes


class Attempted(MailEvent, frozen=True, kw_only=True):
    """A submission was attempted, or decided without an attempt."""

    submission_id: str
    attempt: int
    outcome: Outcome
    code: int = 0
    enhanced: str = ""
    reason: str = ""
    next_at: int = 0
    tls_version: str = ""
    arc: str = ""
    bounce_id: str = ""
    sealed: bytes

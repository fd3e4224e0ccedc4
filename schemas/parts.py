"""Records inside events, and what is sealed in them.

Field for field what the .avsc files say, in which the meaning and the unit of each field stands.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Source = Literal["unknown", "smtp", "lmtp", "submission", "import", "api"]
"""The door through which a mail came in."""

AuthResult = Literal[
    "unknown",
    "none",
    "neutral",
    "pass",
    "fail",
    "softfail",
    "policy",
    "temperror",
    "permerror",
]
"""Result of one authentication method, in the words of RFC 8601 section 2.7."""

Policy = Literal["unknown", "none", "quarantine", "reject"]
"""What a DMARC policy asks for, or what was applied."""

Verdict = Literal["unknown", "ham", "spam", "phishing"]
"""What a mail was judged to be."""

LabelledBy = Literal["unknown", "verdict", "filter", "user", "import", "timer", "delivery"]
"""Who or what changed labels or flags."""

ErasedBy = Literal["unknown", "user", "window", "account", "admin"]
"""Why a message was erased."""

ThreadedBy = Literal["unknown", "references", "in_reply_to", "subject", "root", "user", "fallback"]
"""The evidence that put a message into its thread."""

SubmittedBy = Literal["unknown", "forward", "return", "bounce"]
"""Why a mail is sent to another host."""

Outcome = Literal["unknown", "delivered", "deferred", "bounced", "suppressed", "dropped"]
"""What became of an attempt to send a mail."""


class Part(Struct, frozen=True, kw_only=True, gc=False):
    """A record that stands inside another."""


class PartRef(Part, frozen=True, kw_only=True):
    """A large part that lives in the parts store."""

    name: bytes
    size: int


class Forward(Part, frozen=True, kw_only=True):
    """An address on another host that a mail is passed on to."""

    by: SubmittedBy
    alias: str
    address: str


class ReceivedSecret(Part, frozen=True, kw_only=True):
    """What of a received mail is personal."""

    client_address: str
    client_name: str
    helo: str
    reverse_path: str
    forward_paths: list[str]
    skeleton: bytes
    skeleton_part: bytes = b""
    forwards: list[Forward] = field(default_factory=list[Forward])


class Spf(Part, frozen=True, kw_only=True):
    """Result of SPF (RFC 7208)."""

    result: AuthResult
    reason: str = ""
    domain: str = ""
    identity: str = ""


class Dkim(Part, frozen=True, kw_only=True):
    """Result of one DKIM signature (RFC 6376)."""

    result: AuthResult
    reason: str = ""
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    aligned: bool = False


class Arc(Part, frozen=True, kw_only=True):
    """Result of the ARC chain (RFC 8617)."""

    result: AuthResult
    reason: str = ""
    sealers: list[str] = field(default_factory=list[str])


class Dmarc(Part, frozen=True, kw_only=True):
    """Result of DMARC (RFC 9989)."""

    result: AuthResult
    reason: str = ""
    domain: str = ""
    policy: Policy = "unknown"
    disposition: Policy = "unknown"
    spf_aligned: bool = False
    dkim_aligned: bool = False


class IpRev(Part, frozen=True, kw_only=True):
    """Result of the reverse lookup of the client (RFC 8601 section 2.7.3)."""

    result: AuthResult
    reason: str = ""


class Words(Part, frozen=True, kw_only=True):
    """A sentence for a mail administrator."""

    check: str
    text: str


class DnsAnswer(Part, frozen=True, kw_only=True):
    """A DNS answer that a verdict rests on."""

    name: str
    rrtype: str
    status: str
    ttl: int
    records: list[bytes] = field(default_factory=list[bytes])


class AuthenticatedSecret(Part, frozen=True, kw_only=True):
    """What of an authentication is personal, and the evidence it rests on."""

    reasons: list[Words] = field(default_factory=list[Words])
    results: str = ""
    evidence: list[DnsAnswer] = field(default_factory=list[DnsAnswer])
    truncated: bool = False


class RuleHit(Part, frozen=True, kw_only=True):
    """A spam rule that matched."""

    code: str
    weight: float


class TokenWeight(Part, frozen=True, kw_only=True):
    """A word that spoke strongest for or against."""

    token: str
    weight: float


class ScoredSecret(Part, frozen=True, kw_only=True):
    """What of a score is personal."""

    logit: float
    features: list[int] = field(default_factory=list[int])
    tokens: list[TokenWeight] = field(default_factory=list[TokenWeight])
    reasons: list[str] = field(default_factory=list[str])


class Failure(Part, frozen=True, kw_only=True):
    """What a bounce reports (RFC 3464)."""

    recipient: str
    status: str
    code: int
    last_attempt_at: int


class SubmittedSecret(Part, frozen=True, kw_only=True):
    """What of a submission is personal."""

    reverse_path: str
    forward_path: str
    alias: str = ""
    failure: list[Failure] = field(default_factory=list[Failure])


class AttemptedSecret(Part, frozen=True, kw_only=True):
    """What of an attempt is personal: a host may name the recipient in its reply."""

    remote_host: str
    remote_address: str = ""
    reply: str = ""


class Placement(Part, frozen=True, kw_only=True):
    """A message in a label."""

    label: str
    uid: int


class Mailbox(Part, frozen=True, kw_only=True):
    """One address of a header field (RFC 5322 section 3.4)."""

    name: str
    address: str


class PartSummary(Part, frozen=True, kw_only=True):
    """An attachment as a mailbox lists it."""

    section: str
    filename: str
    content_type: str
    size: int
    inline: bool = False


class Digest(Part, frozen=True, kw_only=True):
    """What a mailbox lists of a message."""

    author: list[Mailbox]
    to: list[Mailbox] = field(default_factory=list[Mailbox])
    cc: list[Mailbox] = field(default_factory=list[Mailbox])
    reply_to: list[Mailbox] = field(default_factory=list[Mailbox])
    subject: str
    date: int | None = None
    message_id_header: str = ""
    in_reply_to: list[str] = field(default_factory=list[str])
    references: list[str] = field(default_factory=list[str])
    list_id: str = ""
    snippet: str
    parts: list[PartSummary] = field(default_factory=list[PartSummary])
    trace: bytes = b""
    truncated: bool = False
    unreadable: bool = False


class LabelSecret(Part, frozen=True, kw_only=True):
    """What of a label is personal."""

    name: str


class FilterSecret(Part, frozen=True, kw_only=True):
    """What of a filter is personal."""

    query: str

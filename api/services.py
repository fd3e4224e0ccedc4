"""What the house hands to those who read: ports, and the few settings they go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.ports import (
    Backlogs,
    Clock,
    ContentStore,
    Directory,
    EventLog,
    KeyStore,
    Lag,
    Limits,
    Outcomes,
    PartStore,
    Random,
    Wake,
)
from projections.contacts.ports import ContactReader
from projections.mailbox.ports import MailboxReader
from projections.search.ports import SearchReader
from projections.threads.ports import ThreadReader
from schemas.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Settings of the API. Durations are seconds, sizes octets."""

    authserv_id: str
    """Our name in Authentication-Results (RFC 8601 section 2.5)."""
    undelete_window: int
    """How long an expunged message can be restored."""
    token_lifetime: int = 30 * 24 * 3600
    """How long the token of a login is good."""
    max_body_bytes: int = 1024 * 1024
    """The largest request; the largest that is asked for, 1,000 identifiers, has 40 kB."""
    wait: float = 2.0
    """How long a call waits for its own effect, and a read for `minSeq`."""
    signed_url_lifetime: int = 15 * 60
    """How long the URL of an attachment is good."""
    keepalive: float = 15.0
    """The longest silence in a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The ports behind the API."""

    directory: Directory
    reader: MailboxReader
    search: SearchReader
    threads: ThreadReader
    contacts: ContactReader
    log: EventLog
    outcomes: Outcomes
    keys: KeyStore
    content: ContentStore
    parts: PartStore
    fingerprint: Fingerprint
    wake: Wake
    channels: Sequence[str]
    """Channels notified when outcomes are committed and when the projection has moved on."""
    limits: Limits
    lag: Lag
    backlogs: Backlogs
    clock: Clock
    random: Random
    settings: ApiSettings

"""Events of a mailbox; each gets the next seq.

Field for field what the .avsc files say, in which the meaning and the unit of each field stands.
"""

from __future__ import annotations

from msgspec import Struct, field

from schemas.parts import ErasedBy, LabelledBy, Placement, Source, ThreadedBy, Verdict


class MailboxEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A fact about a mailbox."""

    event_id: str
    mailbox_id: str
    seq: int
    occurred_at: int
    recorded_at: int
    caused_by: str
    actor: str = ""


class MailboxOpened(MailboxEvent, frozen=True, kw_only=True):
    """A mailbox and its system labels exist from here on."""


class Threaded(MailboxEvent, frozen=True, kw_only=True):
    """A message was put into a thread."""

    message_id: str
    mail_id: str
    thread_id: str
    by: ThreadedBy
    message_hash: bytes
    reference_hashes: list[bytes] = field(default_factory=list[bytes])
    subject_hash: bytes = b""
    participant_hashes: list[bytes] = field(default_factory=list[bytes])
    dated: int
    merged: list[str] = field(default_factory=list[str])


class Labelled(MailboxEvent, frozen=True, kw_only=True):
    """Labels or flags of one message changed; effective changes only."""

    message_id: str
    mail_id: str
    labels_added: list[str] = field(default_factory=list[str])
    labels_removed: list[Placement] = field(default_factory=list[Placement])
    flags_added: list[str] = field(default_factory=list[str])
    flags_removed: list[str] = field(default_factory=list[str])
    unread_changed: int = 0
    by: LabelledBy = "unknown"
    filters: list[str] = field(default_factory=list[str])
    filters_failed: list[str] = field(default_factory=list[str])


class Delivered(MailboxEvent, frozen=True, kw_only=True):
    """A message is visible in the mailbox from here on."""

    message_id: str
    mail_id: str
    thread_id: str
    authenticated_id: str = ""
    scored_id: str = ""
    verdict: Verdict = "unknown"
    source: Source = "unknown"
    placements: list[Placement]
    flags: list[str] = field(default_factory=list[str])
    size: int
    received_at: int
    internal_date: int
    attachment_count: int
    raw_hmac: bytes
    reverse_path_hmac: bytes
    sealed: bytes


class Duplicate(MailboxEvent, frozen=True, kw_only=True):
    """A sender's retry of a mail that the mailbox has; nothing for the reader."""

    mail_id: str
    original_message_id: str


class LabelDefined(MailboxEvent, frozen=True, kw_only=True):
    """A user's label was made."""

    label_id: str
    color: str = ""
    sealed: bytes


class LabelRenamed(MailboxEvent, frozen=True, kw_only=True):
    """A label's name or colour changed."""

    label_id: str
    color: str = ""
    sealed: bytes


class LabelDeleted(MailboxEvent, frozen=True, kw_only=True):
    """A label is gone, and every message's placement in it."""

    label_id: str


class MovedToThread(MailboxEvent, frozen=True, kw_only=True):
    """A person moved a message to another thread."""

    message_id: str
    mail_id: str
    thread_id: str
    from_thread_id: str


class FilterDefined(MailboxEvent, frozen=True, kw_only=True):
    """A filter was made, changed or deleted."""

    filter_id: str
    labels: list[str] = field(default_factory=list[str])
    archive: bool = False
    star: bool = False
    read: bool = False
    never_spam: bool = False
    deleted: bool = False
    sealed: bytes


class Taught(MailboxEvent, frozen=True, kw_only=True):
    """A person said what a message is."""

    message_id: str
    mail_id: str
    verdict: Verdict


class Restored(MailboxEvent, frozen=True, kw_only=True):
    """An expunged message is visible again."""

    message_id: str
    mail_id: str
    thread_id: str
    authenticated_id: str = ""
    scored_id: str = ""
    verdict: Verdict = "unknown"
    source: Source = "unknown"
    placements: list[Placement]
    flags: list[str] = field(default_factory=list[str])
    size: int
    received_at: int
    internal_date: int
    attachment_count: int
    raw_hmac: bytes
    reverse_path_hmac: bytes
    sealed: bytes


class Expunged(MailboxEvent, frozen=True, kw_only=True):
    """A message is gone from the mailbox and can be restored within the undelete window."""

    message_id: str
    mail_id: str
    thread_id: str
    placements: list[Placement] = field(default_factory=list[Placement])
    flags: list[str] = field(default_factory=list[str])
    restorable_until: int


class Erased(MailboxEvent, frozen=True, kw_only=True):
    """A message is gone for good."""

    message_id: str
    mail_id: str
    thread_id: str
    placements: list[Placement] = field(default_factory=list[Placement])
    flags: list[str] = field(default_factory=list[str])
    by: ErasedBy = "unknown"

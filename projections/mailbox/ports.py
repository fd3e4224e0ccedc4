"""What readers ask of the mailbox projection.

Every read is one snapshot and answers the head that it saw: the seq of the last event that the
rows it returns contain. A client that asks for at least that seq never sees an older mailbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.parts import Mailbox, PartSummary, Source, Verdict


class BadPageToken(Exception):
    """A page token that was not given out for this mailbox and this query."""


class ForeignPageToken(BadPageToken):
    """One that was not given out for this mailbox at all."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as a mailbox lists it. Times are microseconds since 1970 UTC, sizes octets.

    When the digest key is destroyed the row stands without its text: `has_text` is False and the
    fields below it are empty.
    """

    message_id: str
    mail_id: str
    thread_id: str
    """The conversation, merges resolved."""
    labels: tuple[str, ...]
    """Labels it is in, sorted, without ALL."""
    placements: Mapping[str, int]
    """Label (ALL included) to the UID there."""
    flags: tuple[str, ...]
    """Flags, sorted."""
    is_read: bool
    is_starred: bool
    received_at: int
    internal_date: int
    size: int
    attachment_count: int
    verdict: Verdict
    source: Source
    authenticated_id: str
    """event_id of the Authenticated it rests on, "" without one; scored_id likewise."""
    scored_id: str
    seq: int
    """seq of its last change (MODSEQ, RFC 7162)."""
    has_text: bool = False
    author: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: int | None = None
    snippet: str = ""
    attachments: tuple[PartSummary, ...] = ()
    message_id_header: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    list_id: str = ""
    trace: bytes = b""
    """Header fields to be shown on top of the message, CRLF line ends."""
    truncated: bool = False
    """A list above was cut to its bound."""
    unreadable: bool = False
    """The message could not be read and was delivered as it stands."""

    @property
    def has_attachments(self) -> bool:
        """Whether it has attachments; known without the text."""
        return self.attachment_count > 0


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, internal date descending, then message_id ascending."""

    messages: tuple[MessageRow, ...]
    next_token: str | None
    """Asks for the page after this one; stays valid while mail arrives. None at the end."""
    estimate: int
    """Number of messages of the query: exact where a counter tells it (no label or one, now) or
    the first page holds all, else a guess from the counters."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label with its counters and what IMAP needs of it."""

    label_id: str
    name: str
    """Its name; that of a system label is its identifier. "" when the mailbox key is destroyed."""
    color: str
    system: bool
    total: int
    unread: int
    uid_next: int
    """Last UID ever given here + 1."""
    uid_validity: int


@dataclass(frozen=True, slots=True)
class FilterRow:
    """A filter: what it looks for, and what it does to new mail that it matches."""

    filter_id: str
    query: str
    """"" when the mailbox key is destroyed."""
    labels: tuple[str, ...]
    """Labels that it adds, sorted; one that was deleted since is not among them."""
    archive: bool
    star: bool
    read: bool
    never_spam: bool


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One event of a mailbox, as its feed tells it.

    Of an erased message only `seq` and `type` stay; its Erased itself keeps its identifiers, so
    that a follower knows what to forget.
    """

    seq: int
    type: str
    occurred_at: int | None = None
    recorded_at: int | None = None
    event_id: str | None = None
    message_id: str | None = None
    mail_id: str | None = None
    thread_id: str | None = None
    """The thread that the event itself names."""
    detail: Mapping[str, object] = field(default_factory=dict[str, object])
    """Plain fields of the event under their names in the schema, its identifiers and hashes left
    out; placements as {label: uid}."""


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox with its counters over all visible messages, SPAM and TRASH included."""

    mailbox_id: str
    head: int
    messages: int
    unread: int
    size: int


class MailboxReader(Protocol):
    """Reads mailboxes; safe to be called from several threads.

    A mailbox that no event has spoken of is empty and has head 0.
    """

    def head(self, mailbox_id: str) -> int:
        """Return the seq of the last event that readers see."""
        ...

    def counts(self, mailbox_id: str) -> MailboxRow:
        """Return head and counters."""
        ...

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Page, int]:
        """Return a page of the messages that are in all of `labels`, and the head.

        Without labels it is all that is in neither SPAM nor TRASH, or all when `include_spam` is
        set. `at` (microseconds) lists the mailbox as of the last event recorded until then.
        Raises BadPageToken.
        """
        ...

    def get(self, mailbox_id: str, message_id: str) -> tuple[MessageRow | None, int]:
        """Return a visible message of this mailbox, None when there is none, and the head."""
        ...

    def get_many(
        self, mailbox_id: str, message_ids: Sequence[str]
    ) -> tuple[Mapping[str, MessageRow], int]:
        """Return the visible ones of messages, of one snapshot, and the head."""
        ...

    def known(self, mailbox_id: str, message_id: str) -> bool:
        """Say whether a message of this mailbox is visible or expunged.

        For one of another mailbox nothing else is done than for one that nobody has.
        """
        ...

    def find_message_id(self, header: str) -> Sequence[tuple[str, str, str]]:
        """Return (mailbox_id, message_id, mail_id) of each message with that Message-ID.

        `header` is the field as it stands, angle brackets included; over all mailboxes, visible
        and expunged messages, erased ones gone.
        """
        ...

    def labels(self, mailbox_id: str) -> tuple[Sequence[LabelRow], int]:
        """Return system labels in their order, then the user's by name, and the head."""
        ...

    def filters(self, mailbox_id: str) -> tuple[Sequence[FilterRow], int]:
        """Return the filters, the one that was changed last at the end, and the head."""
        ...

    def history(
        self, mailbox_id: str, since: int, limit: int = 500
    ) -> tuple[Sequence[FeedEntry], int]:
        """Return up to `limit` entries after seq `since`, in order, one a seq, and the head."""
        ...

    def message_history(self, mailbox_id: str, message_id: str) -> Sequence[FeedEntry]:
        """Return the entries of a message of this mailbox, in order; none when unknown or erased.

        A retry that was dropped has its Duplicate under the message_id it would have got.
        """
        ...

    def vanished(self, mailbox_id: str, label: str, since: int) -> tuple[Sequence[int], int]:
        """Return the UIDs that left `label` after seq `since`, ascending, and the head.

        They stay answerable for ever, erased messages included (RFC 7162 section 3.2.10).
        """
        ...

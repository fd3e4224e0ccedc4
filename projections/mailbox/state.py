"""What the fold of a mailbox works on, and what it hands to a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.labels import SEEN
from schemas.mailbox_events import Delivered, Restored


class Placed(NamedTuple):
    """A message in a label: its UID there, and the seq since which readers see it there."""

    uid: int
    since: int


@dataclass(slots=True)
class Label:
    """A label of a mailbox. `number` is its short name inside the projection.

    A deleted label stays under its number, since the past and the placements it ended with are
    told by it; the same label made again gets another number.
    """

    number: int
    label_id: str
    made: int
    """seq of the event that made it."""
    deleted: int | None = None
    """seq of the event that deleted it."""
    name: str = ""
    color: str = ""
    total: int = 0
    unread: int = 0
    last_uid: int = 0
    changed: bool = True
    text: int | None = None
    """The store's own key of `stored_name`, None while it has none."""
    stored_name: str = ""


@dataclass(slots=True)
class Message:
    """A message as the fold sees it, with what the store holds of it beside."""

    message_id: str
    mail_id: str
    row: int | None = None
    """The store's own key, None while it has none."""
    visible: bool = False
    thread_id: str = ""
    internal_date: int = 0
    size: int = 0
    flags: tuple[str, ...] = ()
    since: int = 0
    """seq since which `flags` and `thread_id` stand like this before readers."""
    seq: int = 0
    placements: dict[int, Placed] = field(default_factory=dict[int, Placed])
    """By label number; those in deleted labels stay until the message leaves."""
    facts: Delivered | Restored | None = None
    """What the message is, when it was told in this batch."""
    text: bytes = b""
    """With `facts`: the Digest, packed; empty when its key is destroyed."""
    text_row: int | None = None
    """The store's own key of the text that it holds, None while it has none."""
    erased: bool = False
    changed: bool = False
    stored: Stored | None = None

    @property
    def unread(self) -> bool:
        """Whether it counts as unread."""
        return self.visible and SEEN not in self.flags


class Stored(NamedTuple):
    """What of a message stands in the store, counters included."""

    visible: bool
    unread: bool
    size: int
    internal_date: int
    placements: dict[int, Placed]


NOT_STORED = Stored(False, False, 0, 0, {})


@dataclass(slots=True)
class MailboxState:
    """Head, counters and labels of a mailbox."""

    mailbox_id: str
    row: int | None = None
    head: int = 0
    messages: int = 0
    unread: int = 0
    size: int = 0
    ahead: int = 0
    """The most that an internal date was ever later than the record of its delivery, in
    microseconds: what was there at a time has no later date than that time and this."""
    labels: dict[int, Label] = field(default_factory=dict[int, Label])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    """label_id to number, deleted labels left out."""

    def add(self, label: Label) -> None:
        """Take a label in."""
        self.labels[label.number] = label
        if label.deleted is None:
            self.numbers[label.label_id] = label.number


class Filter(NamedTuple):
    """A filter as the event `seq` made it."""

    seq: int
    query: str
    labels: tuple[str, ...]
    archive: bool
    star: bool
    read: bool
    never_spam: bool


class FeedRow(NamedTuple):
    """An entry of the feed. Of an erased message only seq, type and recorded_at are stored:
    recorded_at tells which seq a moment of the past stands for."""

    seq: int
    type: str
    recorded_at: int
    occurred_at: int
    event_id: str
    message: Message | None
    detail: dict[str, object]


class PastPlacement(NamedTuple):
    """A message was in a label from `since` until before `until`."""

    message: Message
    label: int
    uid: int
    since: int
    until: int


class PastState(NamedTuple):
    """A message had these flags, in this thread, from `since` until before `until`."""

    message: Message
    since: int
    until: int
    flags: tuple[str, ...]
    thread_id: str


class Gone(NamedTuple):
    """A UID left a label with event `seq`."""

    label: int
    seq: int
    uid: int


class Merge(NamedTuple):
    """A thread became part of another with event `seq`."""

    thread_id: str
    seq: int
    into: str


@dataclass(slots=True)
class Changes:
    """What a batch changes in one mailbox; messages and labels are in the working state."""

    feed: list[FeedRow] = field(default_factory=list[FeedRow])
    past_placements: list[PastPlacement] = field(default_factory=list[PastPlacement])
    past_states: list[PastState] = field(default_factory=list[PastState])
    gone: list[Gone] = field(default_factory=list[Gone])
    merges: list[Merge] = field(default_factory=list[Merge])
    erased: list[Message] = field(default_factory=list[Message])
    filters: dict[str, Filter | None] = field(default_factory=dict[str, Filter | None])
    """By identifier; None for one that is gone."""

"""What the fold of search works on, and what it hands to a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.labels import ALL, DRAFTS, INBOX, SENT, SPAM, TRASH
from schemas.parts import Digest

SEEN_BIT, STARRED_BIT, ATTACHMENT_BIT, ALL_BIT, SPAM_BIT, TRASH_BIT = (1 << n for n in range(6))
"""What is known of a message without looking into another row."""

LABEL_BITS = {ALL: ALL_BIT, SPAM: SPAM_BIT, TRASH: TRASH_BIT}

# Sets of messages that are kept in order, beside ALL: numbers below _FIRST_USER.
UNREAD, STARRED, ATTACHMENT = 7, 8, 9
SYSTEM_NUMBERS = {INBOX: 1, SENT: 2, DRAFTS: 3, SPAM: 4, TRASH: 5, ALL: 6}
FIRST_USER = 16


@dataclass(slots=True)
class Label:
    """A label, or another set that is kept in order; `number` is its name inside the projection.

    A deleted one keeps its number, so that nothing is done to its messages; the same label made
    again gets another.
    """

    number: int
    label_id: str
    name: str = ""
    deleted: bool = False
    total: int = 0
    changed: bool = True


class Facts(NamedTuple):
    """What of a message is compared by a query, its words aside."""

    bits: int
    labels: tuple[int, ...]
    """Numbers, ascending; deleted labels stay until the message leaves them otherwise."""

    def sets(self) -> set[int]:
        """Return the sets that the message is listed in: labels but ALL, and those of bits."""
        found = set(self.labels) - {SYSTEM_NUMBERS[ALL]}
        if not self.bits & SEEN_BIT:
            found.add(UNREAD)
        if self.bits & STARRED_BIT:
            found.add(STARRED)
        if self.bits & ATTACHMENT_BIT:
            found.add(ATTACHMENT)
        return found


@dataclass(slots=True)
class Doc:
    """A visible message as the fold sees it."""

    message_id: str
    mail_id: str
    internal_date: int
    size: int
    facts: Facts
    row: int | None = None
    """The store's own key, None while it has none."""
    stored: Facts | None = None
    shown: str = ""
    """event_id of the event that showed it in this batch: its words are to be written."""
    digest: Digest | None = None


@dataclass(slots=True)
class Mailbox:
    """Head, counter and labels of a mailbox."""

    mailbox_id: str
    row: int | None = None
    head: int = 0
    messages: int = 0
    last_label: int = FIRST_USER - 1
    labels: dict[int, Label] = field(default_factory=dict[int, Label])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    """label_id to number, deleted labels left out."""

    def add(self, label: Label) -> None:
        """Take a label in."""
        self.labels[label.number] = label
        if label.label_id and not label.deleted:
            self.numbers[label.label_id] = label.number
        self.last_label = max(self.last_label, label.number)

"""What readers ask about conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from projections.mailbox.ports import MessageRow
from schemas.parts import Mailbox


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A conversation as a list shows it: over its messages that are in neither SPAM nor TRASH.

    When these two are asked for, or it has no others, it is over all of them.
    """

    thread_id: str
    """Merges resolved."""
    subject: str
    """Of its first message."""
    snippet: str
    """Of its last message."""
    participants: tuple[Mailbox, ...]
    """Its authors in the order in which they came in, of the first and the 50 last messages."""
    labels: tuple[str, ...]
    """Labels that any of its messages is in, sorted, without ALL."""
    messages: int
    unread: int
    starred: bool
    has_attachments: bool
    first_date: int
    """Internal date of its first message, microseconds; last_date likewise."""
    last_date: int
    seq: int
    """seq of the last change to any of its messages."""


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Conversations, by their last message that the query matches, newest first."""

    threads: tuple[ThreadRow, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A page of the messages of a conversation, oldest first."""

    thread: ThreadRow
    messages: tuple[MessageRow, ...]
    next_token: str | None


class ThreadReader(Protocol):
    """Reads conversations; safe to be called from several threads."""

    def list(
        self,
        mailbox_id: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[ThreadPage, int]:
        """Return a page of the conversations with a message in all of `labels`, and the head.

        A conversation stands on one page alone. Without labels it is one with a message in
        neither SPAM nor TRASH, or any when `include_spam` is set. `at` (microseconds) as of then.
        Raises BadPageToken.
        """
        ...

    def get(
        self,
        mailbox_id: str,
        thread_id: str,
        *,
        include_spam: bool = False,
        limit: int = 100,
        page_token: str | None = None,
        at: int | None = None,
    ) -> tuple[Conversation | None, int]:
        """Return a page of one conversation, and the head; None when there is no such.

        One that was merged into another is answered as that one. Raises BadPageToken.
        """
        ...

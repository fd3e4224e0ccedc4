"""What readers ask of search.

Search follows the mailbox on its own: each answer states the head it was given at, and agrees with
the mailbox at that seq, labels and flags included. Every engine gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mail.query.language import BadQuery
from projections.mailbox.ports import BadPageToken

__all__ = ["BadPageToken", "BadQuery", "Found", "Hit", "SearchReader"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found."""

    message_id: str
    excerpt: tuple[str, ...]
    """Text around the first match, cut at the matches: what is at an odd place matched, and the
    whole joined is plain text. Empty when no word of the query stands in the text."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of messages, internal date descending, then message_id ascending."""

    hits: tuple[Hit, ...]
    next_token: str | None
    """Asks for the page after this one; stays valid while mail arrives. None at the end."""
    estimate: int
    """Number of messages that match: exact up to some hundreds; beyond, what the newest matches
    let expect of the rest, and never less than was seen. Counted once, for the first page."""


class SearchReader(Protocol):
    """Searches mailboxes; safe to be called from several threads.

    A mailbox that no event has spoken of is empty and has head 0.
    """

    def head(self, mailbox_id: str) -> int:
        """Return the seq of the last event that searches see."""
        ...

    def search(
        self,
        mailbox_id: str,
        query: str,
        *,
        labels: Sequence[str] = (),
        include_spam: bool = False,
        limit: int = 50,
        page_token: str | None = None,
        excerpts: bool = True,
    ) -> tuple[Found, int]:
        """Return a page of the messages that a query finds, and the head.

        `labels` are identifiers of labels, in all of which they must be too. SPAM and TRASH are
        left out unless `include_spam` is set, labels are given, or the query asks for the one or
        the other by `in:` or `label:`. Without `excerpts` no content is read and all of them are
        empty. Raises BadQuery, BadPageToken.
        """
        ...

"""What readers ask about contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A person. `messages` is how many messages tell of them, `last` the date of the newest."""

    address: str
    name: str
    messages: int
    last: int


class ContactReader(Protocol):
    """Finds contacts; safe to be called from several threads."""

    def find(
        self, mailbox_id: str, query: str, limit: int = 10
    ) -> tuple[Sequence[ContactRow], int]:
        """Return the best contacts first, and the seq of the last event that they rest on.

        Each word of `query` begins a word of the name, the local part, a part of it, or the
        domain; case and accents do not count. An empty query finds everybody.
        """
        ...

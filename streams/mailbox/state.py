"""The port to the mailbox stage's own state: the fold of `mailbox.events`, and outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from infra.ports import Outcomes
from streams.mailbox.working_set import Needs, WorkingSet


class MailboxState(Outcomes, Protocol):
    """Rows of all mailboxes. Where outputs and state share a transaction, it is the caller's."""

    def load(self, mailbox_id: str, needs: Needs) -> WorkingSet:
        """Return the rows of one mailbox that `needs` names. Raises EngineDown."""
        ...

    def save(self, sets: Sequence[WorkingSet], now: int) -> None:
        """Write what was touched, and forget what has had its time. Raises EngineDown."""
        ...

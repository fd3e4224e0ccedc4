"""How much mailboxes may still take: the quota less what the mailbox projection counts."""

from __future__ import annotations

from infra.ports import Directory
from projections.mailbox.ports import MailboxReader
from projections.versions import NeedsRebuild

NO_LIMIT = 1 << 62


class MailboxRoom:
    """Port Room. The count is the fold of events, so it lags as far as the projection does."""

    def __init__(self, directory: Directory, reader: MailboxReader) -> None:
        self._directory = directory
        self._reader = reader

    def left(self, mailbox_id: str) -> int:
        """Return the octets left of its quota. Raises EngineDown."""
        account = self._directory.account_of(mailbox_id)
        if account is None or not account.quota_bytes:
            return NO_LIMIT
        try:
            return account.quota_bytes - self._reader.counts(mailbox_id).size
        except NeedsRebuild:
            # Mail goes on while a view is built anew.
            return NO_LIMIT

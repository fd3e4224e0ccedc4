"""System labels and flags: the closed lists that events and readers share."""

from __future__ import annotations

INBOX = "INBOX"
SENT = "SENT"
DRAFTS = "DRAFTS"
SPAM = "SPAM"
TRASH = "TRASH"
ALL = "ALL"
"""Every message that is in neither SPAM nor TRASH; kept by the mailbox stage, never by a client."""

SYSTEM_LABELS: tuple[str, ...] = (INBOX, SENT, DRAFTS, SPAM, TRASH, ALL)

SEEN = "seen"
FLAGGED = "flagged"
ANSWERED = "answered"
DRAFT = "draft"

SYSTEM_FLAGS: tuple[str, ...] = (SEEN, FLAGGED, ANSWERED, DRAFT)

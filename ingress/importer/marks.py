"""Flags and labels that mbox programs keep in header fields, and Maildir in file names."""

from __future__ import annotations

import csv
import re

from ingress.importer.kept import Marks
from mail.words import decode_header
from schemas.labels import ALL, ANSWERED, DRAFT, DRAFTS, FLAGGED, INBOX, SEEN, SENT, SPAM, TRASH

_FIELDS = re.compile(
    rb"^(status|x-status|x-mozilla-status|x-keywords|x-gmail-labels)[ \t]*:"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_MAILDIR_INFO = re.compile(r"[:;!,]2,([A-Za-z]*)\Z")

# maildir(5): a time in seconds, something unique, the host; programs agree on the first dot.
_MAILDIR_UNIQUE = re.compile(r"\d+\..+")

_MAILDIR = {"S": SEEN, "F": FLAGGED, "R": ANSWERED, "D": DRAFT}
_X_STATUS = {"A": ANSWERED, "F": FLAGGED, "T": DRAFT}
# nsMsgMessageFlags: read, replied, marked; 8 is expunged.
_MOZILLA = {0x1: SEEN, 0x2: ANSWERED, 0x4: FLAGGED}
_MOZILLA_EXPUNGED = 0x8

_GMAIL_LABELS = {
    "inbox": INBOX,
    "sent": SENT,
    "drafts": DRAFTS,
    "draft": DRAFTS,
    "spam": SPAM,
    "trash": TRASH,
    "chat": ALL,
}
_GMAIL_FLAGS = {"starred": FLAGGED, "draft": DRAFT, "drafts": DRAFT}
# What says nothing of where a mail belongs.
_GMAIL_IGNORED = frozenset(
    ("unread", "opened", "important", "archived", "starred", "all mail", "muted")
)
_JUNK = frozenset(("junk", "$junk"))
_MAX_FIELD = 32 * 1024
MAX_LABELS = 100
MAX_NAME = 225


def is_maildir_name(file_name: str) -> bool:
    """Say whether a file in a folder cur or new is named as a message of a Maildir."""
    return bool(_MAILDIR_UNIQUE.fullmatch(file_name) or _MAILDIR_INFO.search(file_name))


def maildir_marks(file_name: str) -> Marks:
    """Return the marks in the name of a Maildir file (`unique:2,FLAGS`).

    T (trashed) is a mail that waits to be expunged: it goes to TRASH, where it can be looked at
    and is deleted by age like any other, since an import must not lose mail. P (passed) has no
    counterpart.
    """
    m = _MAILDIR_INFO.search(file_name)
    letters = m[1] if m else ""
    return Marks(
        frozenset(_MAILDIR[c] for c in letters if c in _MAILDIR),
        frozenset((TRASH,)) if "T" in letters else frozenset(),
    )


def mbox_marks(header: bytes) -> Marks:
    """Return the marks in the header fields of an mbox message, CRLF or LF.

    Status, X-Status and X-Keywords as Dovecot, mutt and c-client write them, X-Mozilla-Status,
    X-Gmail-Labels. Deleted goes to TRASH. A mail with Gmail labels of which none is Inbox was
    archived: it is asked for ALL alone, and so stays out of INBOX.
    """
    flags: set[str] = set()
    labels: set[str] = set()
    for m in _FIELDS.finditer(header):
        value = m[2].strip()
        match m[1].lower():
            case b"status":
                if b"R" in value:
                    flags.add(SEEN)
            case b"x-status":
                letters = value.decode("latin-1")
                flags.update(_X_STATUS[c] for c in letters if c in _X_STATUS)
                if "D" in letters:
                    labels.add(TRASH)
            case b"x-mozilla-status":
                _mozilla(value, flags, labels)
            case b"x-keywords":
                _keywords(value, labels)
            case _:
                _gmail(value, flags, labels)
    return Marks(frozenset(flags), frozenset(sorted(labels)[:MAX_LABELS]))


def _mozilla(value: bytes, flags: set[str], labels: set[str]) -> None:
    try:
        bits = int(value, 16)
    except ValueError:
        return
    flags.update(flag for bit, flag in _MOZILLA.items() if bits & bit)
    if bits & _MOZILLA_EXPUNGED:
        labels.add(TRASH)


def _keywords(value: bytes, labels: set[str]) -> None:
    for keyword in decode_header(value[:_MAX_FIELD]).split():
        if keyword.lower() in _JUNK:
            labels.add(SPAM)
        elif not keyword.startswith("$") and keyword.lower() != "nonjunk":
            labels.add(keyword[:MAX_NAME])


def _gmail(value: bytes, flags: set[str], labels: set[str]) -> None:
    text = " ".join(decode_header(value[:_MAX_FIELD]).split())
    try:
        names = [n.strip() for row in csv.reader([text]) for n in row]
    except csv.Error:
        names = [n.strip() for n in text.split(",")]
    folded = {n.lower() for n in names if n}
    if "unread" not in folded:
        flags.add(SEEN)
    flags.update(_GMAIL_FLAGS[n] for n in folded if n in _GMAIL_FLAGS)
    for name in names:
        known = _GMAIL_LABELS.get(name.lower())
        if known is not None:
            labels.add(known)
        elif name and not _says_nothing(name.lower()):
            labels.add(name[:MAX_NAME])
    if not labels:
        labels.add(ALL)


def _says_nothing(name: str) -> bool:
    return name in _GMAIL_IGNORED or name.startswith("category")

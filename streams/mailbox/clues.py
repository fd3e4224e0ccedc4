"""What threading knows of a mail: fingerprints of its identifiers, subject and participants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mail.addresses import canonical
from mail.subjects import base_subject
from schemas.parts import Digest

Print = Callable[[str, str, str], bytes]
"""Fingerprint.in_mailbox: mailbox, kind, value -> 16 octets."""

MOST_REFERENCES = 100
MOST_PARTICIPANTS = 100


@dataclass(frozen=True, slots=True)
class Clues:
    """Fingerprints (16 octets each). `references` are oldest first, In-Reply-To behind References.

    The first `from_references` of them stood in References. `message` and `subject` are empty when
    the mail has none; `own` is always there: it stands for the mail itself.
    """

    own: bytes
    message: bytes = b""
    references: tuple[bytes, ...] = ()
    from_references: int = 0
    subject: bytes = b""
    participants: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the conversation as far as this mail can tell."""
        return self.references[0] if self.references else (self.message or self.own)


def bare_clues(prints: Print, mailbox_id: str, mail_id: str) -> Clues:
    """Return the clues of a mail of which nothing can be read."""
    return Clues(prints(mailbox_id, "mail", mail_id))


def clues_of(digest: Digest, prints: Print, mailbox_id: str, mail_id: str) -> Clues:
    """Return the clues of a mail, as fingerprints that hold for this mailbox alone."""

    def ids(values: list[str]) -> list[bytes]:
        names = dict.fromkeys(v.strip().strip("<>") for v in values)
        return [prints(mailbox_id, "message-id", v) for v in names if v]

    message = ids([digest.message_id_header])
    references = ids(digest.references)
    known, replied = set(references), ids(digest.in_reply_to)
    # RFC 5322 section 3.6.4: In-Reply-To names the parent, so it stands last.
    parents = [h for h in replied if h not in known][-MOST_REFERENCES:]
    kept = _oldest_and_newest(references, MOST_REFERENCES - len(parents))
    subject = base_subject(digest.subject)[0].casefold()
    return Clues(
        own=prints(mailbox_id, "mail", mail_id),
        message=message[0] if message else b"",
        references=(*kept, *parents),
        from_references=0 if kept == replied else len(kept),
        subject=prints(mailbox_id, "subject", subject) if subject else b"",
        participants=tuple(prints(mailbox_id, "address", a) for a in _participants(digest)),
    )


def _oldest_and_newest(references: list[bytes], most: int) -> list[bytes]:
    """Cut a list in its middle: the root names the thread, the newest find it."""
    if len(references) <= most:
        return references
    return references[:1] + references[len(references) - most + 1 :] if most else []


def _participants(digest: Digest) -> list[str]:
    """Return the addresses of From, To and Cc, less the mailing list's own.

    A list stands in all of its mail, so it says nothing of who talks with whom.
    """
    found = dict.fromkeys(
        canonical(m.address).casefold()
        for field in (digest.author, digest.to, digest.cc)
        for m in field
        if m.address
    )
    found.pop(_list_address(digest.list_id), None)
    return list(found)[:MOST_PARTICIPANTS]


def _list_address(list_id: str) -> str:
    """Return the address that a List-Id is made of, as lists make it: RFC 2919 section 2."""
    return list_id.rpartition("<")[2].rstrip("> ").casefold().replace(".", "@", 1)

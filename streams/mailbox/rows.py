"""What the mailbox stage remembers: the rows of its state, each a consequence of events.

Inside a mailbox a message is known by the seq of its Threaded, a thread by the seq of the event
that made it: short numbers, and the order of threads by first seq is the order of the numbers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

from msgspec import Struct, field

from schemas.labels import ALL, SYSTEM_LABELS

State = Literal["arriving", "live", "expunged", "erased"]
"""Where a message is in its life; `arriving` between its Threaded and its Delivered."""

Candidates = 32
"""How many of the newest messages with a subject are looked at by the subject rule."""


class Label(Struct, gc=False):
    """A user's label. A placement with a UID at or below `made` was in an earlier label."""

    made: int
    name: bytes
    color: str


class Actions(Struct, array_like=True, gc=False):
    """What a filter does to the mail that it matches."""

    labels: list[str]
    archive: bool
    star: bool
    read: bool
    never_spam: bool


class Filter(Struct, gc=False):
    """A filter as its last event, `event_id`, made it; for that event its query is sealed.

    A label that was made after `seq` is not the one that it names.
    """

    seq: int
    event_id: str
    actions: Actions
    sealed: bytes


class Message(Struct, kw_only=True):
    """A message of the mailbox. `changed` is the seq of its last event.

    `labels` and `remembered` map a label to the UID in it. `remembered` is what TRASH or SPAM took
    away and gives back. `origin` is an encoded Origin, empty until delivered and after an erasure.
    """

    n: int
    message_id: str
    mail_id: str
    thread: int
    state: State = "arriving"
    changed: int
    message_hash: int | None = None
    subject: int | None = None
    labels: dict[str, int] = field(default_factory=dict[str, int])
    remembered: dict[str, int] = field(default_factory=dict[str, int])
    flags: list[str] = field(default_factory=list[str])
    restorable_until: int = 0
    taught: str = ""
    origin: bytes = b""


class Origin(Struct, frozen=True, array_like=True, gc=False):
    """What Delivered said and Restored says again."""

    authenticated_id: str
    scored_id: str
    verdict: str
    source: str
    size: int
    received_at: int
    internal_date: int
    attachment_count: int
    raw_hmac: bytes
    reverse_path_hmac: bytes


class Reference(Struct, gc=False):
    """A Message-ID that the mailbox has seen, on a message or only named by one (a phantom).

    `moved` when a person put its message into the thread.
    """

    thread: int
    moved: bool = False


class Thread(Struct, gc=False):
    """A thread; `merged_into` is the thread it was joined into, 0 while it stands for itself."""

    n: int
    thread_id: str
    merged_into: int = 0


class Candidate(Struct, gc=False):
    """A message as the subject rule sees it; `participants` are 8 octets each."""

    thread: int
    dated: int
    participants: bytes


class Retry(Struct, gc=False):
    """The last delivery of certain bytes from a certain reverse-path."""

    received_at: int
    message_id: str


def short(fingerprint: bytes) -> int:
    """Return the first 64 bits of a fingerprint, signed: how the state keys by it.

    Fingerprints are keyed with a secret, so nobody outside can make two of them meet.
    """
    return int.from_bytes(fingerprint[:8], "big", signed=True)


def retry_key(raw_hmac: bytes, reverse_path_hmac: bytes) -> bytes:
    """Return the key (16 octets) under which a sender's retry finds the first delivery."""
    return blake2b(raw_hmac + b"/" + reverse_path_hmac, digest_size=16).digest()


def pack_participants(participants: list[bytes]) -> bytes:
    """Return fingerprints of addresses as a Candidate keeps them."""
    return b"".join([p[:8] for p in participants])


SYSTEM: frozenset[str] = frozenset(SYSTEM_LABELS)
KEPT_BY_STAGE: frozenset[str] = frozenset({ALL})

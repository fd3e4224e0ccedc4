"""A mail as another store has kept it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BARE_LF = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a store had noted of a mail: flags of ours, and labels by name (system ones by id)."""

    flags: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail on its way into a mailbox."""

    origin: str
    """Where it was found: a path, within a tar or mbox with the place in it."""
    content: bytes
    """The message with CRLF line ends."""
    date: int | None
    """The date of arrival that the store had noted, microseconds since 1970 UTC."""
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that may hold mail, of which none could be got out."""

    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotMail:
    """A file that nothing says to be mail."""

    origin: str


Found = Kept | Unreadable | NotMail


def crlf(content: bytes) -> bytes:
    """Return `content` with each bare LF turned into CRLF, and nothing else changed."""
    bare = content.count(b"\n") - content.count(b"\r\n")
    if not bare:
        return content
    if b"\r" not in content:
        return content.replace(b"\n", b"\r\n")
    return _BARE_LF.sub(b"\r\n", content)

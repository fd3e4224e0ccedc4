"""What the outbound stage asks: to hand a mail to the next host, and a key to seal it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mail.authentication.signing import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A mail as it leaves. Paths have no angle brackets; the reverse-path "" is the null one."""

    id: str
    """The submission; the order in which hosts of equal preference are tried follows from it."""
    reverse_path: str
    forward_path: str
    domain: str
    """Domain of the forward-path."""
    message: bytes
    utf8: bool
    """It can be sent with SMTPUTF8 alone (RFC 6531): a header or a path is not ASCII."""
    eight_bit: bool
    """It has octets beyond ASCII (RFC 6152)."""


MAX_REPLY = 1000
"""Characters that are kept of what a host says; its record has a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a parcel. `code` is 0 when no host has spoken.

    `enhanced` is the host's word or, where no host spoke, ours. `reason` is "" when it was taken,
    else a code: `reply` for a host's refusal, or why none could be asked.
    """

    taken: bool
    permanent: bool
    code: int = 0
    enhanced: str = ""
    reason: str = ""
    host: str = ""
    address: str = ""
    reply: str = ""
    tls_version: str = ""


class Courier(Protocol):
    """Hands mail to the next host."""

    async def deliver(self, parcel: Parcel) -> Receipt:
        """Try to hand over `parcel`, once; every failure is a receipt, and none is raised."""
        ...


SealingKeys = Callable[[str], "tuple[SigningKey, ...]"]
"""The keys that sign now for a domain of ours, RSA first; none for a domain without keys.

Raises EngineDown.
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be sent."""

    depth: int
    """Submissions that are to be sent; those that are held are not counted."""
    held: int
    oldest_at: int
    """When the oldest of the first was submitted, microseconds; 0 when there is none."""


class Backlogs(Protocol):
    """Tells the backlog."""

    def backlog(self) -> Backlog:
        """Return the backlog; may be a moment old. Raises EngineDown."""
        ...

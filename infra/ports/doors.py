"""What the doors ask: to take a mail in, how much room and how much haste there is, DNS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.ports.log import Output


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail at a door, sealed and ready: in this order its parts, key and Received get durable."""

    received: Output
    mail_id: str
    key: bytes
    parts: Mapping[bytes, bytes]


class Intake(Protocol):
    """The one way in for mail, with group commit over all sessions."""

    async def accept(self, arrival: Arrival) -> None:
        """Return when the mail is durable. Raises EngineDown with nothing half accepted.

        Raises KeyTaken when the mail_id has another key: an identifier that is not new (an
        import's) needs `KeyStore.ensure` before sealing.
        """
        ...


class Room(Protocol):
    """How much a mailbox may still take."""

    def left(self, mailbox_id: str) -> int:
        """Return the octets left of its quota, below 0 when it holds more. Raises EngineDown."""
        ...


class Limits(Protocol):
    """Rate limits by name (see the settings) and key."""

    def hit(self, name: str, key: str) -> float:
        """Count one; return 0.0 when it is within the limit, else the seconds to wait."""
        ...


class Lag(Protocol):
    """How far the stages are behind the doors."""

    def lag(self) -> int:
        """Return the number of received mails not yet judged; may be a moment old, never raises."""
        ...


Resolve = Callable[[Sequence[object]], Awaitable[Mapping[object, object]]]
"""The DNS port: questions to answers, both values of mail.authentication.dns."""

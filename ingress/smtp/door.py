"""What all connections of one door share."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Protocol

from infra.ports import Lag, Limits
from ingress.client import Networks
from ingress.smtp.acceptance import Acceptance
from ingress.smtp.admission import BackPressure, Connections, Memory
from ingress.smtp.recipients import Recipients
from ingress.smtp.session import Offer


class Open(Protocol):
    """A connection as the server sees it."""

    def shut_down(self) -> None:
        """End the connection before its next transaction, at once when none is under way."""
        ...

    def abort(self) -> None:
        """End the connection without a word."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. RFC 5321 section 4.5.3.2.7: a server waits at least 5 minutes for a command."""

    idle: float = 300.0
    """Between two commands, and between two chunks of a message."""
    message: float = 1800.0
    """For one message to come in whole."""
    handshake: float = 30.0
    """For TLS to begin."""
    session: float = 3600.0
    """For the whole connection; a transaction under way is let to its end."""
    closing: float = 10.0
    """For the last reply to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What all connections share."""

    offer: Offer
    trusted: Networks
    """Peers that are mail servers of our own."""
    timeouts: Timeouts
    tls: ssl.SSLContext | None
    acceptance: Acceptance
    recipients: Recipients
    limits: Limits
    lag: Lag
    back_pressure: BackPressure
    connections: Connections
    memory: Memory
    live: Live


class Live:
    """The connections that are open."""

    def __init__(self) -> None:
        self.connections: set[Open] = set()
        self._none_left: asyncio.Event = asyncio.Event()

    def add(self, connection: Open) -> None:
        """Note a connection that has begun."""
        self.connections.add(connection)
        self._none_left.clear()

    def discard(self, connection: Open) -> None:
        """Note a connection that has ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._none_left.set()

    async def ended(self) -> None:
        """Wait until no connection is open."""
        while self.connections:
            await self._none_left.wait()

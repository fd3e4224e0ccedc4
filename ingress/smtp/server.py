"""A door for mail: listens, and ends in order."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.ports import Clock, Directory, Intake, Lag, Limits, Random, Room
from ingress.client import Networks
from ingress.smtp.acceptance import Acceptance
from ingress.smtp.admission import BackPressure, Connections, Memory
from ingress.smtp.connection import Connection, template
from ingress.smtp.dialect import Dialect
from ingress.smtp.door import Door, Live, Timeouts
from ingress.smtp.recipients import Recipients
from ingress.smtp.returning import ReturnPaths
from ingress.smtp.screening import Screening
from ingress.smtp.session import Offer
from schemas.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator may set."""

    hostname: str
    trusted: Networks = ()
    """Peers that are mail servers of our own: they say by XFORWARD whom they have a mail from."""
    max_message_bytes: int = 50 * 1024 * 1024
    max_recipients: int = 100
    max_connections: int = 1_000
    max_connections_per_network: int = 100
    max_errors: int = 20
    max_idle_commands: int = 100
    max_memory_bytes: int = 256 * 1024 * 1024
    """What all messages on their way in may hold together; at least twice the largest message."""
    postmaster: str = ""
    """Address that gets mail for postmaster where the directory knows none; "": the oldest account.
    """
    timeouts: Timeouts = field(default_factory=Timeouts)
    back_pressure: BackPressure = field(default_factory=BackPressure)


class Server:
    """Takes mail in one dialect, on one or more addresses."""

    def __init__(
        self,
        dialect: Dialect,
        options: Options,
        *,
        intake: Intake,
        directory: Directory,
        limits: Limits,
        lag: Lag,
        clock: Clock,
        random: Random,
        fingerprint: Fingerprint,
        tls: ssl.SSLContext | None = None,
        room: Room | None = None,
        screening: Screening | None = None,
        returns: ReturnPaths | None = None,
    ) -> None:
        """With `screening`, what DMARC says to reject is refused in answer to DATA."""
        self._options = options
        self._live = Live()
        self._servers: list[asyncio.Server] = []
        offer = Offer(
            dialect=dialect,
            hostname=options.hostname,
            max_message_bytes=options.max_message_bytes,
            max_recipients=options.max_recipients,
            starttls=tls is not None,
            max_errors=options.max_errors,
            max_idle_commands=options.max_idle_commands,
        )
        self._door = Door(
            offer=offer,
            trusted=options.trusted,
            timeouts=options.timeouts,
            tls=tls,
            acceptance=Acceptance(
                intake, fingerprint=fingerprint, random=random, clock=clock, screening=screening
            ),
            recipients=Recipients(
                directory,
                clock,
                hostname=options.hostname,
                postmaster=options.postmaster,
                room=room,
                full_later=dialect.each_recipient,
                returns=returns,
            ),
            limits=limits,
            lag=lag,
            back_pressure=options.back_pressure,
            connections=Connections(options.max_connections, options.max_connections_per_network),
            memory=Memory(options.max_memory_bytes),
            live=self._live,
        )

    async def start(self, host: str, port: int, *, backlog: int = 512) -> tuple[str, int]:
        """Listen on one more address; return it, with the port that was chosen for 0.

        Raises OSError.
        """
        connect, loop = self._connect()
        return self._serve(
            await loop.create_server(connect, host, port, backlog=backlog, reuse_address=True)
        )

    async def start_on(self, listening: socket.socket, *, backlog: int = 512) -> tuple[str, int]:
        """Serve a socket that listens already; return its address. Raises OSError."""
        connect, loop = self._connect()
        return self._serve(await loop.create_server(connect, sock=listening, backlog=backlog))

    def _connect(self) -> tuple[Callable[[], Connection], asyncio.AbstractEventLoop]:
        loop = asyncio.get_running_loop()
        like = template(self._door.offer, loop)
        return lambda: Connection(self._door, loop, like), loop

    def _serve(self, server: asyncio.Server) -> tuple[str, int]:
        self._servers.append(server)
        name: tuple[str, int] = server.sockets[0].getsockname()[:2]
        return name

    async def stop(self, grace: float = 10.0) -> None:
        """Accept no more connections; let transactions end within `grace` seconds."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in tuple(self._live.connections):
            connection.shut_down()
        try:
            async with asyncio.timeout(grace):
                await self._live.ended()
        except TimeoutError:
            for connection in tuple(self._live.connections):
                connection.abort()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._live.connections)

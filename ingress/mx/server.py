"""The MX: listens, and ends in order."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from infra.ports import Clock, Directory, Intake, Lag, Limits, Random
from ingress.mx.acceptance import Acceptance
from ingress.mx.admission import BackPressure, Connections, Memory
from ingress.mx.connection import Connection, Door, Live, Timeouts, template
from ingress.mx.recipients import Recipients
from ingress.mx.session import Offer
from schemas.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator may set."""

    hostname: str
    max_message_bytes: int = 50 * 1024 * 1024
    max_recipients: int = 100
    max_connections: int = 1_000
    max_connections_per_network: int = 100
    max_errors: int = 20
    max_idle_commands: int = 100
    max_memory_bytes: int = 256 * 1024 * 1024
    """What all messages on their way in may hold together; at least twice the largest message."""
    postmaster: str = ""
    """Address that gets mail for postmaster where the directory knows none."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    back_pressure: BackPressure = field(default_factory=BackPressure)


class MxServer:
    """An MX on one or more addresses."""

    def __init__(
        self,
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
    ) -> None:
        self._options = options
        self._acceptance = Acceptance(intake, fingerprint=fingerprint, random=random, clock=clock)
        self._recipients = Recipients(
            directory, clock, hostname=options.hostname, postmaster=options.postmaster
        )
        self._limits = limits
        self._lag = lag
        self._tls = tls
        self._live = Live()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, *, backlog: int = 512) -> tuple[str, int]:
        """Listen; return the address, with the port that was chosen for 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        door = self._door(loop)
        return self._serving(
            await loop.create_server(
                lambda: Connection(door, loop), host, port, backlog=backlog, reuse_address=True
            )
        )

    async def start_on(self, listening: socket.socket, *, backlog: int = 512) -> tuple[str, int]:
        """Serve a socket that listens already; return its address. Raises OSError."""
        loop = asyncio.get_running_loop()
        door = self._door(loop)
        return self._serving(
            await loop.create_server(
                lambda: Connection(door, loop), sock=listening, backlog=backlog
            )
        )

    def _serving(self, server: asyncio.Server) -> tuple[str, int]:
        self._server = server
        name: tuple[str, int] = server.sockets[0].getsockname()[:2]
        return name

    def _door(self, loop: asyncio.AbstractEventLoop) -> Door:
        o = self._options
        offer = Offer(
            hostname=o.hostname,
            max_message_bytes=o.max_message_bytes,
            max_recipients=o.max_recipients,
            starttls=self._tls is not None,
            max_errors=o.max_errors,
            max_idle_commands=o.max_idle_commands,
        )
        return Door(
            offer=offer,
            timeouts=o.timeouts,
            tls=self._tls,
            acceptance=self._acceptance,
            recipients=self._recipients,
            limits=self._limits,
            lag=self._lag,
            back_pressure=o.back_pressure,
            connections=Connections(o.max_connections, o.max_connections_per_network),
            memory=Memory(o.max_memory_bytes),
            live=self._live,
            template=template(offer, loop),
        )

    async def stop(self, grace: float = 10.0) -> None:
        """Accept no more connections; let transactions end within `grace` seconds."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._live.connections):
            connection.shut_down()
        try:
            async with asyncio.timeout(grace):
                await self._live.ended()
        except TimeoutError:
            for connection in tuple(self._live.connections):
                connection.abort()
        self._server = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._live.connections)

"""A connection of a door without a socket: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from ingress.client import networks
from ingress.mx.dialect import ESMTP
from ingress.smtp.acceptance import Acceptance
from ingress.smtp.admission import BackPressure, Connections, Memory
from ingress.smtp.connection import Connection, template
from ingress.smtp.dialect import Dialect
from ingress.smtp.door import Door, Live, Timeouts
from ingress.smtp.recipients import Recipients
from ingress.smtp.session import Offer
from tests.fakes import FINGERPRINT, FakeClock, FakeIntake, FakeLag, FakeLimits, FakeRandom
from tests.ingress.smtp.client import directory

# RFC 5321 section 4.2 and RFC 2034 section 4: text is printable ASCII, the class of the enhanced
# code is that of the reply.
_LINE = re.compile(rb"([2345])\d\d([ -])(?:([245])\.\d{1,3}\.\d{1,3} )?([\x20-\x7e]*)\r\n")


class Wire(asyncio.Transport):
    """Keeps what is written; tells the protocol when it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": ("192.0.2.1", 25)})
        self._loop = loop
        self._closing = False
        self.protocol: Connection | None = None
        self.written = bytearray()
        self.paused = False

    def write(self, data: Any) -> None:
        if not self._closing:
            self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            assert self.protocol is not None
            self._loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_reading(self) -> bool:
        return not self.paused


class MemoryMx:
    """A door of fakes; `converse` is one connection, from a trusted peer."""

    def __init__(self, dialect: Dialect = ESMTP, **offer: Any) -> None:
        loop = asyncio.get_running_loop()
        what = Offer(
            **{
                "dialect": dialect,
                "hostname": "mx.example.test",
                "max_message_bytes": 50_000,
                **offer,
            }
        )
        self.intake = FakeIntake()
        self.memory = Memory(1_000_000)
        self.live = Live()
        self.largest_buffer = 0
        self._loop = loop
        self._like = template(what, loop)
        clock = FakeClock()
        self.door = Door(
            offer=what,
            trusted=networks("192.0.2.0/24"),
            timeouts=Timeouts(idle=10.0),
            tls=None,
            acceptance=Acceptance(
                self.intake, fingerprint=FINGERPRINT, random=FakeRandom(), clock=clock
            ),
            recipients=Recipients(directory(), clock, hostname=what.hostname),
            limits=FakeLimits(),
            lag=FakeLag(),
            back_pressure=BackPressure(),
            connections=Connections(100, 100),
            memory=self.memory,
            live=self.live,
        )

    async def converse(self, chunks: Sequence[bytes]) -> bytes:
        """Send `chunks`, then close our side; return everything that was answered."""
        wire = Wire(self._loop)
        connection = Connection(self.door, self._loop, self._like)
        wire.protocol = connection
        connection.connection_made(wire)
        for chunk in chunks:
            while wire.paused:
                await asyncio.sleep(0)
            if wire.is_closing():
                break
            connection.data_received(chunk)
            self.largest_buffer = max(self.largest_buffer, connection.unread)
            await asyncio.sleep(0)
        if not wire.is_closing():
            connection.eof_received()
        async with asyncio.timeout(20):
            await self.live.ended()
        return bytes(wire.written)


def replies(answered: bytes) -> list[tuple[int, str, str]]:
    """Return code, enhanced code and text of each reply; fails on what is not a proper reply."""
    found: list[tuple[int, str, str]] = []
    code, pos = b"", 0
    while pos < len(answered):
        m = _LINE.match(answered, pos)
        assert m is not None, answered[pos : pos + 80]
        line_code = answered[pos : pos + 3]
        assert code in (b"", line_code), "one reply has one code"
        assert m[3] is None or m[3] == m[1], "class of the enhanced code"
        assert m.end() - pos <= 512
        enhanced = answered[pos + 4 : m.start(4)].strip().decode()
        if line_code[:1] in b"45":
            assert enhanced, "a refusal has an enhanced code"
        code = line_code if m[2] == b"-" else b""
        if m[2] == b" ":
            found.append((int(line_code), enhanced, m[4].decode()))
        pos = m.end()
    assert code == b"", "the last reply is whole"
    return found

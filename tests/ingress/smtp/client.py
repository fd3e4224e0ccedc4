"""A door of fakes on a free port, and a client that speaks raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from infra.ports import Room
from ingress.mx.dialect import ESMTP
from ingress.smtp.dialect import Dialect
from ingress.smtp.screening import Screening
from ingress.smtp.server import Options, Server
from tests.fakes import (
    FINGERPRINT,
    FakeClock,
    FakeDirectory,
    FakeIntake,
    FakeLag,
    FakeLimits,
    FakeRandom,
)

ALICE = "00000000-0000-7000-8000-00000000000a"
BOB = "00000000-0000-7000-8000-00000000000b"
CAROL = "00000000-0000-7000-8000-00000000000c"


def directory() -> FakeDirectory:
    return FakeDirectory(
        {
            "alice@example.test": ALICE,
            "bob@example.test": BOB,
            "carol@example.test": CAROL,
            "用户@例え.test": BOB,
        },
        {"sales@example.test": "alice@example.test"},
    )


@dataclass
class Mx:
    """A running door with everything that a test looks at."""

    server: Server
    address: tuple[str, int]
    intake: FakeIntake
    directory: FakeDirectory
    limits: FakeLimits
    lag: FakeLag
    hello: str = "EHLO"
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection(*self.address)
        return Client(reader, writer, self.hello)


class Client:
    """One connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: str
    ) -> None:
        self._hello = hello
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """Return the next reply, lines joined by newlines; "" when the connection has ended."""
        lines: list[str] = []
        async with asyncio.timeout(20):
            while True:
                try:
                    line = (await self.reader.readline()).decode()
                except ConnectionError:
                    return ""
                lines.append(line.removesuffix("\r\n"))
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def command(self, line: bytes | str) -> str:
        await self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def hello(self) -> None:
        assert (await self.reply()).startswith("220 ")
        assert (await self.command(f"{self._hello} client.test")).startswith("250-")

    async def deliver(self, message: bytes, to: str = "alice@example.test") -> str:
        """Send a message that is ready for the wire, its end included; return the last reply."""
        assert (await self.command("MAIL FROM:<s@sender.test>")).startswith("250 ")
        assert (await self.command(f"RCPT TO:<{to}>")).startswith("250 ")
        assert (await self.command("DATA")).startswith("354 ")
        await self.send(message)
        return await self.reply()

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def running(
    dialect: Dialect = ESMTP,
    *,
    limits: FakeLimits | None = None,
    lag: int = 0,
    tls: Any = None,
    screening: Screening | None = None,
    room: Room | None = None,
    **options: Any,
) -> AsyncIterator[Mx]:
    """Run a door; at the end every connection must end, and no defect may have shown."""
    intake, people, rates, waiting = FakeIntake(), directory(), limits or FakeLimits(), FakeLag(lag)
    server = Server(
        dialect,
        Options(**{"hostname": "mx.example.test", **options}),
        intake=intake,
        directory=people,
        limits=rates,
        lag=waiting,
        clock=FakeClock(),
        random=FakeRandom(),
        fingerprint=FINGERPRINT,
        tls=tls,
        screening=screening,
        room=room,
    )
    mx = Mx(server, ("", 0), intake, people, rates, waiting, dialect.hello[0])
    asyncio.get_running_loop().set_exception_handler(lambda _, context: mx.errors.append(context))
    mx.address = await server.start("127.0.0.1", 0)
    try:
        yield mx
    finally:
        await server.stop(grace=0.2)
    assert not mx.errors

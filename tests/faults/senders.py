"""SMTP clients that do what RFC 5321 section 4.5.4.1 asks: keep a mail until its 250 is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.faults.letters import Letter

Where = Callable[[], tuple[str, int]]

PATIENCE = 60.0
"""Seconds for one reply; a server that takes longer hangs."""
_PAUSE = 0.05


class Refused(Exception):
    """A mail was refused for good."""


class Busy(Exception):
    """Not now; the session goes on (4yz)."""


class Lost(Exception):
    """The connection is of no more use."""


class Connection:
    """One SMTP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def open(where: tuple[str, int]) -> Connection:
        """Connect and greet. Raises Lost, Busy."""
        try:
            reader, writer = await asyncio.open_connection(*where)
        except OSError as e:
            raise Lost(str(e)) from e
        made = Connection(reader, writer)
        try:
            await made.expect("220")
            writer.write(b"EHLO client.example\r\n")
            await made.expect("250")
        except (Lost, Busy):
            made.close()
            raise
        return made

    async def expect(self, code: str) -> str:
        """Return the next reply. Raises Lost, Busy for another 4yz, Refused for 5yz."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    line = (await self._reader.readline()).decode()
            except OSError as e:
                raise Lost(str(e)) from e
            # Half a line is no reply.
            if not line.endswith("\r\n"):
                raise Lost("closed")
            if line[3:4] == "-":
                continue
            if line.startswith(code):
                return line.rstrip()
            if line.startswith("421"):
                raise Lost(line)
            if line.startswith("4"):
                raise Busy(line)
            raise Refused(line)

    async def send(self, letter: Letter) -> str:
        """Send one mail and return the reply to its end. Raises Lost, Busy, Refused."""
        commands = [f"MAIL FROM:<{letter.sender}>"]
        commands += [f"RCPT TO:<{r}>" for r in letter.recipients]
        try:
            self._writer.write("".join(f"{c}\r\n" for c in commands).encode())
            for _ in commands:
                await self.expect("250")
            self._writer.write(b"DATA\r\n")
            await self.expect("354")
            self._writer.write(letter.wire)
            await self._writer.drain()
        except OSError as e:
            raise Lost(str(e)) from e
        return await self.expect("250")

    async def reset(self) -> None:
        """Forget the transaction. Raises Lost, Busy."""
        self._writer.write(b"RSET\r\n")
        await self.expect("250")

    def close(self) -> None:
        """Close."""
        self._writer.close()


class Outbox:
    """Mails to be sent, over as many sessions as are run."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._waiting: asyncio.Queue[Letter | None] = asyncio.Queue()
        self.accepted: dict[int, str] = {}
        """The mail_id in the 250 of each letter."""
        self.tries = 0

    def put(self, letter: Letter) -> None:
        """Have a letter sent."""
        self._waiting.put_nowait(letter)

    def end(self, sessions: int) -> None:
        """Let the sessions end once everything is sent."""
        for _ in range(sessions):
            self._waiting.put_nowait(None)

    async def session(self) -> None:
        """Send letters one after another until the end. Raises Refused, TimeoutError."""
        connection: Connection | None = None
        while (letter := await self._waiting.get()) is not None:
            while letter.number not in self.accepted:
                try:
                    if connection is None:
                        connection = await Connection.open(self._where())
                    self.tries += 1
                    reply = await connection.send(letter)
                    self.accepted[letter.number] = reply.split()[-1]
                except Busy:
                    connection = await _reset(connection)
                except Lost:
                    if connection is not None:
                        connection.close()
                    connection = None
                if letter.number not in self.accepted:
                    await asyncio.sleep(_PAUSE)
        if connection is not None:
            connection.close()


async def _reset(connection: Connection | None) -> Connection | None:
    if connection is None:
        return None
    try:
        await connection.reset()
    except (Lost, Busy):
        connection.close()
        return None
    return connection

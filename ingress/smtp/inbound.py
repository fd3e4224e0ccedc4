"""The bytes that a client has sent and nobody has read yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import SupportsIndex, cast

_HIGH = 256 * 1024
"""When more than this waits unread, octets, the client is not read from."""


class Disconnected(Exception):
    """The client is gone, or has said that it sends no more."""


class LineTooLong(Exception):
    """A line exceeded its limit; it has been read to its end and thrown away."""


class Inbound(asyncio.StreamReader):
    """A StreamReader whose buffer is open to a scanner that takes from its front.

    Takes the place of the stream reader in the protocol; of its own methods only those that the
    protocol calls are in use.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.buffer = bytearray()
        self._loop_of_waiter = loop
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False
        self._source: asyncio.Transport | None = None
        self._stopped = False

    # -- called by the protocol -----------------------------------------------------------

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport whose reading is paused when too much waits."""
        self._source = cast("asyncio.Transport", transport)
        self._stopped = False

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Take what came in."""
        self.buffer.extend(data)
        self._wake()
        if len(self.buffer) > _HIGH and not self._stopped and self._source is not None:
            self._source.pause_reading()
            self._stopped = True

    def feed_eof(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._wake()

    def set_exception(self, exc: Exception) -> None:
        """The connection broke."""
        self.feed_eof()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # -- called by the session ------------------------------------------------------------

    async def more(self) -> None:
        """Wait until more octets are in the buffer. Raises Disconnected."""
        before = len(self.buffer)
        while len(self.buffer) == before:
            if self._ended:
                raise Disconnected
            if self._stopped and self._source is not None:
                self._source.resume_reading()
                self._stopped = False
            self._waiting = self._loop_of_waiter.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def has_line(self) -> bool:
        """Say whether a whole line waits."""
        return b"\n" in self.buffer

    async def line(self, limit: int) -> bytes:
        """Return the next line with its end, of at most `limit` octets.

        Raises LineTooLong, Disconnected.
        """
        buffer = self.buffer
        searched = 0
        too_long = False
        while True:
            end = buffer.find(b"\n", searched) + 1
            if end:
                line = bytes(memoryview(buffer)[:end]) if end <= limit and not too_long else b""
                del buffer[:end]
                if line:
                    return line
                raise LineTooLong
            if len(buffer) > limit:
                too_long = True
                buffer.clear()
            searched = len(buffer)
            await self.more()

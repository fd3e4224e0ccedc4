"""Waiting for what other processes do, without polling and without missing it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from infra.ports import Listener, Wake


class Progress:
    """Hears the channels on which the stages and projections tell that they have moved on.

    Take a ticket, look, and wait with the ticket: what happens between the look and the wait is
    not lost. Belongs to the event loop that takes the first ticket.
    """

    def __init__(self, wake: Wake, channels: Sequence[str]) -> None:
        self._wake = wake
        self._channels = channels
        self._listeners: list[Listener] | None = None
        self._count = 0
        self._changed = asyncio.Event()
        self.ended = False
        """Whether the server stops: who waits is to end, nothing more will be told."""

    def ticket(self) -> int:
        """Return a ticket for `after`."""
        if self._listeners is None:
            loop = asyncio.get_running_loop()
            self._listeners = [self._wake.listen(c) for c in self._channels]
            for listener in self._listeners:
                loop.add_reader(listener.fileno(), self._heard, listener)
        return self._count

    async def after(self, ticket: int, timeout: float) -> bool:
        """Return True once something was told after `ticket`.

        False after `timeout` seconds, and when the server stops.
        """
        if self._count == ticket and not self.ended:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                return False
        return not self.ended

    async def until(self, done: Callable[[], Awaitable[bool]], timeout: float) -> bool:
        """Return True as soon as `done()` is, False when it is not within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            ticket = self.ticket()
            if await done():
                return True
            if not await self.after(ticket, deadline - loop.time()):
                return await done()

    def end(self) -> None:
        """Wake all who wait, for the last time."""
        self.ended = True
        self._tell()

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners or ():
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()
        self._listeners = None

    def _heard(self, listener: Listener) -> None:
        listener.drain()
        self._tell()

    def _tell(self) -> None:
        self._count += 1
        self._changed.set()
        self._changed = asyncio.Event()

"""An event loop that ends as every process of the house does.

Apart from `mailfold.process`: an event loop is much to load, and most processes have none.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop

from mailfold.process import when_supervisor_dies
from mailfold.supervisor import Inherited


def run_async(inherited: Inherited, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)` on an event loop; `stop` is set when it is time to end."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        def from_thread() -> None:
            loop.call_soon_threadsafe(stop.set)

        when_supervisor_dies(inherited, from_thread)
        await main(stop)

    uvloop.run(body())

"""The processes that wait for the network: each an event loop."""

from __future__ import annotations

import asyncio

from mailfold.event_loop import run_async
from mailfold.supervisor import Inherited
from mailfold.wiring import House


def mx(house: House, inherited: Inherited) -> None:
    """Serve SMTP and LMTP."""

    async def main(stop: asyncio.Event) -> None:
        servers = {"smtp": house.mx(), "lmtp": house.lmtp()}
        for name, server in servers.items():
            await server.start_on(inherited.socket(name))
        inherited.ready()
        await stop.wait()
        await asyncio.gather(*(server.stop() for server in servers.values()))

    run_async(inherited, main)


def outbound(house: House, inherited: Inherited) -> None:
    """Send mail to other hosts."""
    dispatcher = house.outbound.dispatcher()

    async def main(stop: asyncio.Event) -> None:
        inherited.ready()
        await dispatcher.run(stop)

    run_async(inherited, main)


def api(house: House, inherited: Inherited) -> None:
    """Serve HTTP."""

    async def main(stop: asyncio.Event) -> None:
        from api.rest.server import HttpServer

        server = HttpServer(house.api())
        serving = asyncio.create_task(server.serve(sockets=[inherited.socket("http")]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        inherited.ready()
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving

    run_async(inherited, main)

from __future__ import annotations

import asyncio
import socket

import httpx

from api.rest.server import HttpServer
from tests.api.fakes import House


def test_a_server_stops_in_order_with_a_stream_open(house: House) -> None:
    async def run() -> list[str]:
        listening = socket.create_server(("127.0.0.1", 0))
        server = HttpServer(house.app)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1/mailboxes/me/stream?since=0"
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", url, headers=house.headers("ada")) as answer,
        ):
            lines = answer.aiter_lines()
            told = [await anext(lines)]
            server.should_exit = True
            told += [line async for line in lines]
        await serving
        return told

    house.deliver(house.ada)
    told = house.runner.run(run())
    assert told[0] == "retry: 2000"
    assert [line for line in told if line.startswith("id: ")] == ["id: 1", "id: 2", "id: 3"]

from __future__ import annotations

import asyncio

import pytest

from ingress.client import networks
from ingress.lmtp.dialect import LMTP
from ingress.mx.dialect import ESMTP
from tests.fakes import FakeRoom
from tests.ingress.lmtp.dialogs import DIALOGS as LMTP_DIALOGS
from tests.ingress.smtp.client import CAROL, Client, running
from tests.ingress.smtp.dialogs import DIALOGS, Step

OPTIONS = {
    "max_message_bytes": 50_000,
    "postmaster": "bob@example.test",
    "trusted": networks("127.0.0.0/8"),
}
DIALECTS = {d.name: d for d in (ESMTP, LMTP)}
ALL = {"ESMTP": DIALOGS, "LMTP": LMTP_DIALOGS}
NAMES = [(dialect, name) for dialect, dialogs in ALL.items() for name in dialogs]


def wire(sent: str | bytes) -> bytes:
    return sent.encode() + b"\r\n" if isinstance(sent, str) else sent


async def expect(client: Client, steps: list[Step]) -> None:
    for sent, expected in steps:
        reply = await client.reply()
        assert reply.startswith(expected), (sent[:60], reply)


@pytest.mark.parametrize(("dialect", "name"), NAMES)
def test_step_by_step(dialect: str, name: str) -> None:
    async def scenario() -> None:
        async with running(DIALECTS[dialect], room=FakeRoom(CAROL), **OPTIONS) as mx:
            client = await mx.connect()
            assert (await client.reply()) == f"220 mx.example.test {dialect}"
            for sent, expected in ALL[dialect][name]:
                await client.send(wire(sent))
                await expect(client, [(sent, expected)])

    asyncio.run(scenario())


@pytest.mark.parametrize(("dialect", "name"), NAMES)
def test_whole_in_one_write(dialect: str, name: str) -> None:
    async def scenario() -> None:
        async with running(DIALECTS[dialect], room=FakeRoom(CAROL), **OPTIONS) as mx:
            client = await mx.connect()
            await client.send(b"".join(wire(sent) for sent, _ in ALL[dialect][name]))
            await client.reply()
            await expect(client, ALL[dialect][name])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("dialect", "name"), [(d, n) for d, n in NAMES if "large" not in n and n != "lines"]
)
def test_byte_by_byte(dialect: str, name: str) -> None:
    async def scenario() -> None:
        async with running(DIALECTS[dialect], room=FakeRoom(CAROL), **OPTIONS) as mx:
            client = await mx.connect()
            await client.reply()
            for sent, expected in ALL[dialect][name]:
                for octet in wire(sent):
                    client.writer.write(bytes([octet]))
                    await asyncio.sleep(0)
                await expect(client, [(sent, expected)])

    asyncio.run(scenario())


def test_a_client_that_closes_its_side_is_answered_to_the_end() -> None:
    async def scenario() -> None:
        async with running(**OPTIONS) as mx:
            client = await mx.connect()
            await client.send(b"".join(wire(sent) for sent, _ in DIALOGS["one mail"]))
            client.writer.write_eof()
            assert b"250 2.0.0 Ok: queued as" in await client.rest()

    asyncio.run(scenario())


def test_answers_to_commands_that_came_together_come_together() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            await client.send(
                b"MAIL FROM:<s@sender.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
            )
            await client.reply()
            await client.reply()
            assert (await client.reply()).startswith("354 ")
            assert not mx.intake.arrivals

    asyncio.run(scenario())

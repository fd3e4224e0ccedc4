from __future__ import annotations

import asyncio

from tests.ingress.smtp.client import running

MESSAGE = b"Subject: x\r\n\r\ntext\r\n.\r\n"
MAIL = "MAIL FROM:<s@sender.test>"


def test_when_the_log_is_down_the_client_is_asked_to_come_again() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            mx.intake.down = True
            assert (await client.deliver(MESSAGE)).startswith("451 4.3.0 ")
            assert not mx.intake.arrivals
            mx.intake.down = False
            assert (await client.deliver(MESSAGE)).startswith("250 ")

    asyncio.run(scenario())


def test_when_the_directory_is_down_the_client_is_asked_to_come_again() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            mx.directory.down = True
            await client.command(MAIL)
            reply = await client.command("RCPT TO:<alice@example.test>")
            assert reply.startswith("451 4.3.0 ")
            mx.directory.down = False
            assert (await client.command("RCPT TO:<alice@example.test>")).startswith("250 ")

    asyncio.run(scenario())


def test_a_recipient_that_was_found_is_not_asked_for_again_at_once() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            for _ in range(3):
                await client.deliver(MESSAGE)
            assert mx.directory.asked == 1

    asyncio.run(scenario())


def test_250_waits_for_the_log() -> None:
    async def scenario() -> None:
        async with running() as mx:
            mx.intake.gate = asyncio.Event()
            client = await mx.connect()
            await client.hello()
            delivery = asyncio.create_task(client.deliver(MESSAGE))
            await asyncio.sleep(0.05)
            assert not delivery.done()
            mx.intake.gate.set()
            assert (await delivery).startswith("250 ")

    asyncio.run(scenario())


def test_other_sessions_go_on_while_one_waits_for_the_log() -> None:
    async def scenario() -> None:
        async with running() as mx:
            mx.intake.gate = asyncio.Event()
            first, second = await mx.connect(), await mx.connect()
            await first.hello()
            delivery = asyncio.create_task(first.deliver(MESSAGE))
            await second.hello()
            assert (await second.command("NOOP")).startswith("250 ")
            mx.intake.gate.set()
            await delivery

    asyncio.run(scenario())


def test_a_client_that_vanishes_in_a_message_leaves_nothing() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            await client.command("RCPT TO:<alice@example.test>")
            await client.command("DATA")
            await client.send(b"Subject: half\r\n")
            client.writer.transport.abort()
            async with asyncio.timeout(5):
                while mx.server.connections:
                    await asyncio.sleep(0.01)
            assert not mx.intake.arrivals

    asyncio.run(scenario())


def test_stopping_lets_a_transaction_end() -> None:
    async def scenario() -> None:
        async with running() as mx:
            idle, busy = await mx.connect(), await mx.connect()
            await idle.hello()
            await busy.hello()
            await busy.command(MAIL)
            stopping = asyncio.create_task(mx.server.stop())
            assert (await idle.reply()).startswith("421 4.3.2 ")
            assert (await busy.command("RCPT TO:<alice@example.test>")).startswith("250 ")
            assert (await busy.command("DATA")).startswith("354 ")
            await busy.send(MESSAGE)
            assert (await busy.reply()).startswith("250 ")
            assert (await busy.reply()).startswith("421 4.3.2 ")
            await stopping
            assert len(mx.intake.arrivals) == 1

    asyncio.run(scenario())

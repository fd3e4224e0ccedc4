from __future__ import annotations

import asyncio

import pytest

from ingress.smtp.admission import BackPressure, Connections, Memory
from ingress.smtp.door import Timeouts
from tests.fakes import FakeLimits
from tests.ingress.smtp.client import running

MESSAGE = b"Subject: x\r\n\r\ntext\r\n.\r\n"
MAIL = "MAIL FROM:<s@sender.test>"
RCPT = "RCPT TO:<alice@example.test>"


def test_connections_are_bounded_in_all_and_for_each_network() -> None:
    connections = Connections(most=3, most_per_network=2)
    assert connections.enter("a")
    assert connections.enter("a")
    assert not connections.enter("a")
    assert connections.enter("b")
    assert not connections.enter("c")
    connections.leave("a")
    assert connections.enter("c")


def test_memory_is_lent_and_given_back() -> None:
    memory = Memory(100)
    first, second = memory.lease(), memory.lease()
    assert first.hold(60)
    assert not second.hold(50)
    assert second.hold(40)
    first.release()
    assert second.hold(100)
    second.release()
    assert memory.held == 0


@pytest.mark.parametrize(
    ("lag", "wait"),
    [(0, 0.0), (10, 0.0), (15, 1.0), (19, 1.8), (20, None), (1000, None)],
)
def test_doors_get_slower_and_then_close_as_the_lag_grows(lag: int, wait: float | None) -> None:
    assert BackPressure(slow=10, stop=20, longest=2.0).wait(lag) == wait


def test_one_connection_too_many_is_told_so() -> None:
    async def scenario() -> None:
        async with running(max_connections_per_network=2) as mx:
            first, second = await mx.connect(), await mx.connect()
            await first.hello()
            await second.hello()
            third = await mx.connect()
            assert (await third.reply()).startswith("421 4.7.0 ")
            assert await third.rest() == b""
            await first.command("QUIT")
            await first.rest()
            fourth = await mx.connect()
            await fourth.hello()

    asyncio.run(scenario())


def test_connections_that_come_too_fast_are_told_so() -> None:
    async def scenario() -> None:
        async with running(limits=FakeLimits({"mx-connections": 1})) as mx:
            await (await mx.connect()).hello()
            assert (await (await mx.connect()).reply()).startswith("421 4.7.0 ")
            assert mx.limits.hits["mx-connections", "127.0.0.0/24"] == 2

    asyncio.run(scenario())


def test_messages_that_come_too_fast_are_put_off() -> None:
    async def scenario() -> None:
        async with running(limits=FakeLimits({"mx-messages": 1})) as mx:
            client = await mx.connect()
            await client.hello()
            assert (await client.deliver(MESSAGE)).startswith("250 ")
            assert (await client.command(MAIL)).startswith("450 4.7.1 ")

    asyncio.run(scenario())


def test_recipients_that_come_too_fast_are_put_off() -> None:
    async def scenario() -> None:
        async with running(limits=FakeLimits({"mx-recipients": 1})) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            assert (await client.command(RCPT)).startswith("250 ")
            assert (await client.command(RCPT)).startswith("450 4.7.1 ")

    asyncio.run(scenario())


def test_too_many_recipients_of_a_message_are_put_off() -> None:
    async def scenario() -> None:
        async with running(max_recipients=2) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            assert (await client.command(RCPT)).startswith("250 ")
            assert (await client.command(RCPT)).startswith("250 ")
            assert (await client.command(RCPT)).startswith("452 4.5.3 ")
            assert (await client.command("DATA")).startswith("354 ")
            await client.send(MESSAGE)
            assert (await client.reply()).startswith("250 ")

    asyncio.run(scenario())


def test_errors_end_the_session() -> None:
    async def scenario() -> None:
        async with running(max_errors=3) as mx:
            client = await mx.connect()
            await client.hello()
            for _ in range(3):
                assert (await client.command("FOO")).startswith("500 ")
            assert (await client.command("FOO")).startswith("421 4.7.0 ")
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_errors_of_a_network_are_counted_over_sessions() -> None:
    async def scenario() -> None:
        async with running(limits=FakeLimits({"mx-errors": 1})) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            assert (await client.command("RCPT TO:<x@example.test>")).startswith("550 ")
            client = await mx.connect()
            await client.hello()
            assert (await client.command("FOO")).startswith("421 4.7.0 ")

    asyncio.run(scenario())


def test_commands_that_bring_no_message_end_the_session() -> None:
    async def scenario() -> None:
        async with running(max_idle_commands=5) as mx:
            client = await mx.connect()
            await client.hello()
            assert (await client.deliver(MESSAGE)).startswith("250 ")
            for _ in range(5):
                assert (await client.command("NOOP")).startswith("250 ")
            assert (await client.command("RSET")).startswith("421 4.7.0 ")

    asyncio.run(scenario())


def test_beyond_the_second_bound_of_lag_mail_is_put_off_until_it_falls() -> None:
    async def scenario() -> None:
        async with running(lag=20, back_pressure=BackPressure(slow=10, stop=20)) as mx:
            client = await mx.connect()
            await client.hello()
            assert (await client.command(MAIL)).startswith("451 4.3.2 ")
            mx.lag.value = 5
            assert (await client.deliver(MESSAGE)).startswith("250 ")

    asyncio.run(scenario())


def test_between_the_bounds_a_transaction_begins_later() -> None:
    async def scenario() -> None:
        pressure = BackPressure(slow=10, stop=20, longest=0.2)
        async with running(lag=15, back_pressure=pressure) as mx:
            loop = asyncio.get_running_loop()
            client = await mx.connect()
            await client.hello()
            start = loop.time()
            assert (await client.deliver(MESSAGE)).startswith("250 ")
            # The event loop never wakes a sleeper early.
            assert loop.time() - start >= 0.1

    asyncio.run(scenario())


def test_without_memory_a_message_is_put_off() -> None:
    async def scenario() -> None:
        async with running(max_memory_bytes=1000) as mx:
            client = await mx.connect()
            await client.hello()
            assert (await client.deliver(b"x" * 2000 + b"\r\n.\r\n")).startswith("452 4.3.1 ")
            assert (await client.deliver(MESSAGE)).startswith("250 ")

    asyncio.run(scenario())


def test_a_silent_client_is_told_and_cut_off() -> None:
    async def scenario() -> None:
        async with running(timeouts=Timeouts(idle=0.05)) as mx:
            client = await mx.connect()
            await client.reply()
            assert (await client.reply()).startswith("421 4.4.2 ")
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_client_that_stops_in_a_message_is_cut_off() -> None:
    async def scenario() -> None:
        async with running(timeouts=Timeouts(idle=0.1)) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            await client.command(RCPT)
            await client.command("DATA")
            await client.send(b"Subject: x\r\n")
            assert (await client.reply()).startswith("421 4.4.2 ")
            assert await client.rest() == b""
            assert not mx.intake.arrivals

    asyncio.run(scenario())


def test_a_client_that_sends_a_message_in_drops_is_cut_off() -> None:
    async def scenario() -> None:
        async with running(timeouts=Timeouts(message=0.1)) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command(MAIL)
            await client.command(RCPT)
            await client.command("DATA")
            reply = asyncio.create_task(client.reply())
            while not reply.done():
                client.writer.write(b"x")
                await asyncio.sleep(0.01)
            assert (await reply).startswith("421 4.4.2 ")

    asyncio.run(scenario())


def test_a_session_has_an_end() -> None:
    async def scenario() -> None:
        async with running(timeouts=Timeouts(session=0.0)) as mx:
            client = await mx.connect()
            await client.reply()
            assert (await client.command("EHLO client.test")).startswith("250-")
            assert (await client.reply()).startswith("421 4.4.2 ")

    asyncio.run(scenario())


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    async def scenario() -> None:
        timeouts = Timeouts(idle=0.3, closing=0.1)
        async with running(timeouts=timeouts, max_idle_commands=1 << 40) as mx:
            client = await mx.connect()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.writer.write(b"HELP\r\n" * 400_000)
            async with asyncio.timeout(15):
                while not mx.server.connections:
                    await asyncio.sleep(0.01)
                while mx.server.connections:
                    await asyncio.sleep(0.02)
            client.writer.transport.abort()

    asyncio.run(scenario())

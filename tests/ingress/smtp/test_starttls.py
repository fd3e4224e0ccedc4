from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from ingress.smtp.certificate import generated, tls_context
from ingress.smtp.door import Timeouts
from tests.ingress.smtp.client import Client, running

MESSAGE = b"Subject: x\r\n\r\ntext\r\n.\r\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    return tls_context(*generated(folder, "mx.example.test"))


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def upgrade(client: Client) -> None:
    await client.writer.start_tls(trusting())


def test_a_mail_by_tls_has_version_and_cipher(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.reply()
            assert "STARTTLS" in await client.command("EHLO client.test")
            assert (await client.command("STARTTLS")).startswith("220 2.0.0 ")
            await upgrade(client)
            assert "STARTTLS" not in await client.command("EHLO client.test")
            assert (await client.deliver(MESSAGE)).startswith("250 ")
            assert mx.intake.received().tls_version == "TLSv1.3"
            assert mx.intake.received().tls_cipher.startswith("TLS_")
            assert (await client.command("STARTTLS")).startswith("503 5.5.1 ")
            assert (await client.command("QUIT")).startswith("221 ")
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_large_mail_by_tls_is_whole(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command("STARTTLS")
            await upgrade(client)
            await client.command("EHLO client.test")
            content = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000
            assert (await client.deliver(content + b".\r\n")).startswith("250 ")
            assert mx.intake.content() == content

    asyncio.run(scenario())


def test_nothing_said_before_tls_counts_after(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command("MAIL FROM:<s@sender.test>")
            await client.command("RCPT TO:<alice@example.test>")
            await client.command("STARTTLS")
            await upgrade(client)
            assert (await client.command("DATA")).startswith("503 ")
            assert (await client.command("MAIL FROM:<s@sender.test>")).startswith("503 5.5.1 ")

    asyncio.run(scenario())


def test_what_is_sent_in_clear_after_starttls_is_never_obeyed(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.hello()
            await client.send(
                b"STARTTLS\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<alice@example.test>\r\n"
            )
            assert (await client.reply()).startswith("421 4.7.0 ")
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_plain_text_in_place_of_a_handshake_ends_the_connection(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command("STARTTLS")
            await client.send(b"MAIL FROM:<s@sender.test>\r\n" * 10)
            assert b"250" not in await client.rest()
            async with asyncio.timeout(5):
                while mx.server.connections:
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_handshake_that_does_not_come_ends_the_connection(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls, timeouts=Timeouts(handshake=0.05)) as mx:
            client = await mx.connect()
            await client.hello()
            await client.command("STARTTLS")
            assert await client.rest() == b""
            async with asyncio.timeout(5):
                while mx.server.connections:
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_starttls_takes_no_parameters_and_needs_a_hello(tls: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with running(tls=tls) as mx:
            client = await mx.connect()
            await client.reply()
            assert (await client.command("STARTTLS")).startswith("503 5.5.1 ")
            await client.command("EHLO client.test")
            assert (await client.command("STARTTLS now")).startswith("501 5.5.4 ")

    asyncio.run(scenario())

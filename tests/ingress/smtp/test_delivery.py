from __future__ import annotations

import asyncio

from tests.ingress.smtp.client import ALICE, BOB, running

MESSAGE = b"From: a@b.test\r\nSubject: x\r\n\r\n.dot\r\nHello\r\n"


def test_a_mail_goes_in_and_its_identity_is_told() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            reply = await client.deliver(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            assert reply == f"250 2.0.0 Ok: queued as {mx.intake.arrivals[0].mail_id}"
            assert mx.intake.contents() == [MESSAGE]
            received, secret = mx.intake.received(), mx.intake.secret()
            assert received.mailboxes == [ALICE]
            assert received.size == len(MESSAGE)
            assert received.sender_domain == "sender.test"
            assert received.client_network == "127.0.0.0/24"
            assert secret.client_address == "127.0.0.1"
            assert secret.helo == "client.test"
            assert secret.forward_paths == ["alice@example.test"]
            assert (await client.command("QUIT")) == "221 2.0.0 Bye"
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_two_recipients_share_one_event() -> None:
    async def scenario() -> None:
        async with running() as mx:
            client = await mx.connect()
            await client.hello()
            await client.command("MAIL FROM:<>")
            for to in ("alice@example.test", "Bob+x@example.test", "sales@example.test"):
                assert (await client.command(f"RCPT TO:<{to}>")) == "250 2.1.5 Ok"
            await client.command("DATA")
            await client.send(MESSAGE + b".\r\n")
            assert (await client.reply()).startswith("250 2.0.0 ")
            assert len(mx.intake.arrivals) == 1
            assert mx.intake.received().mailboxes == [ALICE, BOB]

    asyncio.run(scenario())

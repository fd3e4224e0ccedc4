"""Aliases of other hosts at the door, and the way back for bounces."""

from __future__ import annotations

import asyncio

import pytest

from infra.ports import Recipient
from ingress.arrival import MAX_FORWARDS
from ingress.smtp import replies
from ingress.smtp.paths import Path
from ingress.smtp.recipients import Reach, Recipients
from ingress.smtp.replies import Reply
from ingress.smtp.returning import ReturnPaths
from mail.srs import rewritten
from schemas.codec import decode_as
from schemas.events import Received
from schemas.parts import Forward
from tests.fakes import FINGERPRINT, FakeClock, FakeDirectory
from tests.ingress.smtp.client import ALICE, running

TEAM = "team@example.test"
THERE = Forward(by="forward", alias=TEAM, address="bob@there.test")
MESSAGE = b"From: a@b.test\r\n\r\nx\r\n.\r\n"


def test_an_alias_of_other_hosts_is_a_recipient() -> None:
    async def scenario() -> None:
        async with running() as mx:
            mx.directory.forwards[TEAM] = (THERE,)
            client = await mx.connect()
            await client.hello()
            assert (await client.deliver(MESSAGE, TEAM)).startswith("250 2.0.0")
            kept = mx.intake.arrivals[0].received
            received = decode_as(Received, kept.value)
            secret = mx.intake.secret()
            assert (received.mailboxes, received.forwards) == ([], 1)
            assert secret.forwards == [THERE]
            assert secret.forward_paths == [TEAM]

    asyncio.run(scenario())


def test_mail_to_too_many_hosts_is_left_for_another_transaction() -> None:
    async def scenario() -> None:
        async with running() as mx:
            known = mx.directory.forwards
            for n in range(MAX_FORWARDS // 50 + 1):
                targets = [f"a{n}.{m}@there.test" for m in range(50)]
                known[f"a{n}@example.test"] = [
                    Forward(by="forward", alias=TEAM, address=t) for t in targets
                ]
            client = await mx.connect()
            await client.hello()
            await client.command("MAIL FROM:<ann@sender.test>")
            answers = [await client.command(f"RCPT TO:<{a}>") for a in known]
            assert [a[:3] for a in answers] == ["250"] * (MAX_FORWARDS // 50) + ["452"]

    asyncio.run(scenario())


class Nothing:
    """No keys and no content."""

    def get(self, identifiers: object) -> dict[str, object]:
        return {}


def asked(address: str, *, of_nobody: bool = True) -> Reach | Reply:
    clock = FakeClock()
    known = FakeDirectory({"alice@example.test": ALICE})
    nothing = Nothing()
    returns = ReturnPaths(nothing, nothing, FINGERPRINT, clock)  # type: ignore[arg-type]
    recipients = Recipients(known, clock, hostname="mx.example.test", returns=returns)
    path = Path(address, address)
    return asyncio.run(recipients.resolve(path, of_nobody=of_nobody))


def made(sender: str, domain: str = "example.test") -> str:
    return rewritten(sender, bytes(16), domain, FakeClock().now, FINGERPRINT.forwarded)


def test_a_bounce_goes_back_to_the_sender() -> None:
    address = made("ann@sender.test")
    assert asked(address) == (Forward(by="return", alias=address, address="ann@sender.test"),)


def test_a_bounce_to_a_sender_of_ours_stays_here() -> None:
    assert asked(made("alice@example.test")) == (Recipient(ALICE, "alice@example.test", ""),)
    assert asked(made("nobody@example.test")) is replies.NO_SUCH_USER


@pytest.mark.parametrize(
    ("address", "of_nobody", "reply"),
    [
        (made("ann@sender.test"), False, replies.ONLY_BOUNCES),
        (made("ann@sender.test").replace("=ann@", "=eve@"), True, replies.NO_SUCH_USER),
        (made("ann@sender.test", "there.test"), True, replies.RELAYING_DENIED),
        # The mail that it names is not here any more.
        (made("x" * 60 + "@sender.test"), True, replies.NO_SUCH_USER),
    ],
)
def test_nobody_else_gets_through(address: str, of_nobody: bool, reply: Reply) -> None:
    assert asked(address, of_nobody=of_nobody) is reply

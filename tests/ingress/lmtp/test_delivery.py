"""What becomes of a mail that comes by LMTP: for whom it is, and from whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingress.client import networks
from ingress.lmtp.dialect import LMTP
from tests.fakes import FakeLimits, FakeRoom
from tests.ingress.smtp.client import ALICE, BOB, CAROL, Client, Mx, running

MESSAGE = b"Subject: x\r\n\r\ntext\r\n"
LOOPBACK = networks("127.0.0.0/8,::1")
PEOPLE = {"alice": ALICE, "bob": BOB, "carol": CAROL}


def held(story: Callable[[Mx, Client], Coroutine[Any, Any, None]], **how: Any) -> None:
    """Let `story` have a session with a door that trusts its peer."""

    async def scenario() -> None:
        async with running(LMTP, **{"trusted": LOOPBACK, **how}) as door:
            client = await door.connect()
            await client.hello()
            await story(door, client)

    asyncio.run(scenario())


async def sent(client: Client, *names: str) -> list[str]:
    """Send a mail to each of `names`; return a reply for each that was accepted."""
    assert (await client.command("MAIL FROM:<s@sender.test>")).startswith("250 ")
    accepted = 0
    for name in names:
        accepted += (await client.command(f"RCPT TO:<{name}@example.test>")).startswith("250 ")
    assert (await client.command("DATA")).startswith("354 ")
    await client.send(MESSAGE + b".\r\n")
    return [await client.reply() for _ in range(accepted)]


def test_a_mail_for_three_of_whom_one_is_full_is_taken_for_two() -> None:
    async def story(door: Mx, client: Client) -> None:
        replies = await sent(client, "alice", "carol", "nobody", "bob")
        mail_id = door.intake.received().mail_id
        queued = f"250 2.0.0 Ok: queued as {mail_id}"
        assert replies == [queued, "452 4.2.2 Mailbox is full", queued]
        assert door.intake.received().mailboxes == [ALICE, BOB]
        assert door.intake.secret().forward_paths == ["alice@example.test", "bob@example.test"]
        assert door.intake.contents() == [MESSAGE]

    held(story, room=FakeRoom(CAROL))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["alice", "bob", "carol", "nobody", "sales"]), min_size=1, max_size=6),
    st.sets(st.sampled_from(sorted(PEOPLE.values()))),
)
def test_each_accepted_recipient_has_its_own_reply(names: list[str], full: set[str]) -> None:
    known = {**PEOPLE, "sales": ALICE}

    async def story(door: Mx, client: Client) -> None:
        boxes = [known[n] for n in names if n in known]
        if not boxes:
            return
        replies = await sent(client, *names)
        assert [r[:3] for r in replies] == ["452" if b in full else "250" for b in boxes]
        taken = [b for b in boxes if b not in full]
        assert len(door.intake.arrivals) == (1 if taken else 0)
        if taken:
            assert door.intake.received().mailboxes == list(dict.fromkeys(taken))
        # Nothing is left of it, and there is no reply too many.
        assert (await client.command("NOOP")) == "250 2.0.0 Ok"

    held(story, room=FakeRoom(*full))


def test_when_the_log_is_down_no_recipient_has_the_mail() -> None:
    async def story(door: Mx, client: Client) -> None:
        door.intake.down = True
        assert [r[:9] for r in await sent(client, "alice", "bob")] == ["451 4.3.0"] * 2
        assert not door.intake.arrivals

    held(story)


def test_when_nobody_can_say_who_is_full_no_recipient_has_the_mail() -> None:
    room = FakeRoom()
    room.down = True

    async def story(door: Mx, client: Client) -> None:
        assert [r[:9] for r in await sent(client, "alice", "bob")] == ["451 4.3.0"] * 2
        assert not door.intake.arrivals

    held(story, room=room)


def test_250_waits_for_the_log() -> None:
    async def story(door: Mx, client: Client) -> None:
        door.intake.gate = asyncio.Event()
        delivery = asyncio.create_task(sent(client, "alice", "bob"))
        await asyncio.sleep(0.05)
        assert not delivery.done()
        door.intake.gate.set()
        assert [r[:3] for r in await delivery] == ["250", "250"]

    held(story)


@pytest.mark.parametrize(("lag", "reply"), [(100_000, "451 4.3.2 "), (0, "250 2.1.0 ")])
def test_a_door_that_is_too_far_ahead_takes_no_mail(lag: int, reply: str) -> None:
    async def story(door: Mx, client: Client) -> None:
        assert (await client.command("MAIL FROM:<s@sender.test>")).startswith(reply)

    held(story, lag=lag)


def test_the_mail_comes_from_the_client_that_is_named() -> None:
    async def story(door: Mx, client: Client) -> None:
        await client.command("XFORWARD NAME=mail.a.test ADDR=IPV6:2001:DB8::25 PROTO=ESMTP")
        await client.command("XFORWARD HELO=a+2Etest")
        await sent(client, "alice")
        received, secret = door.intake.received(), door.intake.secret()
        assert received.source == "lmtp"
        assert received.client_network == "2001:db8::/48"
        assert (secret.client_address, secret.client_name) == ("2001:db8::25", "mail.a.test")
        assert secret.helo == "a.test"

    held(story)


@pytest.mark.parametrize("before", [[], ["XFORWARD ADDR=192.0.2.7 HELO=a.test", "RSET"]])
def test_when_a_trusted_peer_names_nobody_the_client_is_unknown(before: list[str]) -> None:
    async def story(door: Mx, client: Client) -> None:
        for line in before:
            assert (await client.command(line)).startswith("250 ")
        await sent(client, "alice")
        secret = door.intake.secret()
        assert (secret.client_address, secret.client_name, secret.helo) == ("", "", "")
        assert door.intake.received().client_network == ""

    held(story)


def test_what_was_said_of_one_mail_is_not_said_of_the_next() -> None:
    async def story(door: Mx, client: Client) -> None:
        await client.command("XFORWARD ADDR=192.0.2.7 HELO=a.test")
        await sent(client, "alice")
        await client.command("XFORWARD HELO=b.test")
        await sent(client, "alice")
        first, second = door.intake.secret(0), door.intake.secret(1)
        assert (first.client_address, first.helo) == ("192.0.2.7", "a.test")
        assert (second.client_address, second.helo) == ("", "b.test")

    held(story)


def test_a_peer_that_is_not_trusted_speaks_for_itself() -> None:
    async def story(door: Mx, client: Client) -> None:
        assert "XFORWARD" not in await client.command("LHLO client.test")
        assert (await client.command("XFORWARD ADDR=192.0.2.7")).startswith("550 5.7.1 ")
        await sent(client, "alice")
        secret = door.intake.secret()
        assert (secret.client_address, secret.helo) == ("127.0.0.1", "client.test")

    held(story, trusted=networks("192.0.2.0/24,::1"))


def test_limits_count_the_clients_that_are_named_and_not_the_peer() -> None:
    rates = FakeLimits({"mx-connections": 0, "mx-messages": 1})

    async def story(door: Mx, client: Client) -> None:
        # Nobody is named, so nobody counts.
        for _ in range(3):
            await sent(client, "alice")
        for address, reply in (("192.0.2.7", "250"), ("192.0.2.8", "450"), ("192.0.3.1", "250")):
            await client.command(f"XFORWARD ADDR={address}")
            assert (await client.command("MAIL FROM:<s@sender.test>")).startswith(reply)
            await client.command("RSET")
        assert {key for _, key in rates.hits} == {"192.0.2.0/24", "192.0.3.0/24"}

    held(story, limits=rates)

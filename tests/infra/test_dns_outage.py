"""A resolver that is gone delays few questions; one that is back answers all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from infra.dns.outage import ENOUGH, Outage
from infra.dns.resolver import DnsResolver
from mail.authentication.dns import Question
from mail.authentication.zone import Zone
from tests.dns_server import DnsServer, Fault, dns_server

EARLIER = [Question(f"a{n}.test", "A") for n in range(ENOUGH)]
LATER = [Question(f"b{n}.test", "A") for n in range(50)]
ZONE = Zone({q.name: [{"A": "192.0.2.1"}] for q in (*EARLIER, *LATER)})
SILENT = {q.name: Fault(drop=True) for q in (*EARLIER, *LATER)}


def _in_outage(check: Callable[[DnsServer, DnsResolver], Awaitable[None]], timeout: float) -> None:
    async def run() -> None:
        async with dns_server(ZONE, SILENT) as server:
            resolver = DnsResolver(server.address, timeout=timeout)
            found = await resolver.resolve(EARLIER)
            assert {a.status for a in found.values()} == {"timeout"}
            await check(server, resolver)

    asyncio.run(run())


def test_while_nothing_answers_one_question_is_asked_for_all() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> None:
        server.asked.clear()
        found = await resolver.resolve(LATER)
        assert {a.status for a in found.values()} == {"timeout"}
        assert set(server.asked) == {LATER[0]}

    _in_outage(check, 0.5)


def test_the_first_answer_lets_all_be_asked_again() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> None:
        server.faults = {}
        found = await resolver.resolve(LATER)
        assert {a.status for a in found.values()} == {"noerror"}

    _in_outage(check, 3.0)


def test_questions_that_are_given_up_count_as_unanswered() -> None:
    async def run() -> None:
        async with dns_server(ZONE, SILENT) as server:
            resolver = DnsResolver(server.address, timeout=1.0)
            for asked in EARLIER:
                task = asyncio.ensure_future(resolver.resolve([asked]))
                await asyncio.wait((task,), timeout=0.7)
                task.cancel()
                await asyncio.wait((task,))
            server.asked.clear()
            await resolver.resolve(LATER)
            assert set(server.asked) == {LATER[0]}

    asyncio.run(run())


def test_an_answer_among_silence_is_no_outage() -> None:
    outage = Outage(5.0, lambda: 0.0)
    for _ in range(5):
        for _ in range(ENOUGH - 1):
            outage.unanswered()
        outage.answered()
    assert not outage.lasts


def test_after_a_try_that_brought_nothing_there_is_another_and_not_before() -> None:
    now = 100.0

    async def run() -> None:
        nonlocal now
        outage = Outage(5.0, lambda: now)
        for _ in range(ENOUGH):
            outage.unanswered()
        assert 0 < await outage.patience() < 5.0
        now += 4.9
        assert await outage.patience() == 0
        now += 0.2
        assert 0 < await outage.patience() < 5.0
        assert outage.lasts
        outage.answered()
        assert await outage.patience() == 5.0

    asyncio.run(run())

"""The resolver against a real server with faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import pytest

from infra.dns.cache import AnswerCache
from infra.dns.resolver import DnsResolver
from mail.authentication.dns import Answer, Question
from mail.authentication.zone import Zone
from tests.dns_server import DnsServer, Fault, dns_server

_T = TypeVar("_T")

ZONE = Zone(
    {
        "example.test": [
            {"TXT": ["v=spf1 ", "-all"]},
            {"TXT": 'caf\u00e9 \\ " ;'},
            {"MX": [10, "mx.example.test"]},
            {"A": "192.0.2.1"},
            {"AAAA": "2001:db8::1"},
        ],
        "1.2.0.192.in-addr.arpa": [{"PTR": "mx.example.test"}],
        "alias.test": [{"CNAME": "example.test"}],
        "loop.test": [{"CNAME": "loop.test"}],
        "big.test": [{"TXT": "x" * 4000}],
        "huge.test": [{"TXT": "x" * 60000}],
        "broken.test": [{"A": "192.0.2.1"}],
        "silent.test": [{"A": "192.0.2.1"}],
        "slow.test": [{"A": "192.0.2.1"}],
        "short.test": [{"TXT": "whole over TCP"}],
        "garbage.test": [{"A": "192.0.2.1"}],
        "liar.test": [{"TXT": "truth"}],
        "other-liar.test": [{"TXT": "truth"}],
    }
)
FAULTS = {
    "broken.test": Fault(servfail=True),
    "silent.test": Fault(drop=True),
    "slow.test": Fault(delay=0.05),
    "short.test": Fault(truncate=True),
    "garbage.test": Fault(garbage=True),
    "liar.test": Fault(wrong_type=True),
    "other-liar.test": Fault(wrong_question=True),
}


def _with(check: Callable[[DnsServer, DnsResolver], Awaitable[_T]], timeout: float = 10.0) -> _T:
    async def run() -> _T:
        async with dns_server(ZONE, FAULTS) as server:
            return await check(server, DnsResolver(server.address, timeout=timeout))

    return asyncio.run(run())


def _ask(name: str, rrtype: str, timeout: float = 10.0) -> Answer:
    asked = Question(name, rrtype)

    async def check(server: DnsServer, resolver: DnsResolver) -> Mapping[Question, Answer]:
        return await resolver.resolve([asked])

    return _with(check, timeout)[asked]


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        ("example.test", "TXT", (b"v=spf1 -all", b'caf\xe9 \\ " ;')),
        ("example.test", "MX", ((10, "mx.example.test"),)),
        ("example.test", "A", ("192.0.2.1",)),
        ("example.test", "AAAA", ("2001:db8::1",)),
        ("1.2.0.192.in-addr.arpa", "PTR", ("mx.example.test",)),
        ("alias.test", "A", ("192.0.2.1",)),
        ("big.test", "TXT", (b"x" * 4000,)),
        ("short.test", "TXT", (b"whole over TCP",)),
        ("slow.test", "A", ("192.0.2.1",)),
    ],
)
def test_records_arrive_as_plain_values(
    name: str, rrtype: str, records: tuple[object, ...]
) -> None:
    answer = _ask(name, rrtype)
    assert answer.status == "noerror"
    assert sorted(map(str, answer.records)) == sorted(map(str, records))
    assert answer.ttl == 60


@pytest.mark.parametrize(
    ("name", "rrtype", "status"),
    [
        ("absent.test", "A", "nxdomain"),
        ("big.test", "A", "nodata"),
        ("broken.test", "A", "servfail"),
        ("huge.test", "TXT", "servfail"),
    ],
)
def test_what_is_no_record_has_its_status(name: str, rrtype: str, status: str) -> None:
    assert _ask(name, rrtype).status == status


def test_a_name_without_an_answer_times_out() -> None:
    assert _ask("silent.test", "A", 0.2).status == "timeout"


@pytest.mark.parametrize("name", ["garbage.test", "liar.test", "other-liar.test", "loop.test"])
def test_a_lie_is_never_a_record(name: str) -> None:
    answer = _ask(name, "TXT", 0.5)
    assert answer.status != "noerror"
    assert answer.records == ()


@pytest.mark.parametrize("name", ["a b.test", "back\\slash.test", "%7b.test", 'qu"ote.test'])
def test_a_name_of_odd_characters_is_asked_as_it_is(name: str) -> None:
    assert _ask(name, "A").status == "nxdomain"


def test_an_answer_is_asked_once_while_it_holds() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> list[Question]:
        for _ in range(3):
            await resolver.resolve([Question("example.test", "A"), Question("absent.test", "A")])
        return server.asked

    assert len(_with(check)) == 2


def test_the_same_question_at_the_same_time_is_sent_once() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> list[Question]:
        asked = [Question("slow.test", "A")]
        await asyncio.gather(*(resolver.resolve(asked) for _ in range(10)))
        return server.asked

    assert len(_with(check)) == 1


def test_a_failure_is_not_asked_again_at_once() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> tuple[int, int]:
        await resolver.resolve([Question("broken.test", "A")])
        first = len(server.asked)
        await resolver.resolve([Question("broken.test", "A")])
        return first, len(server.asked)

    first, second = _with(check)
    assert first == second


def test_a_large_answer_comes_over_tcp() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> list[Question]:
        await resolver.resolve([Question("big.test", "TXT")])
        return server.over_tcp

    assert _with(check) == [Question("big.test", "TXT")]


def test_one_that_waits_for_a_cancelled_question_gets_an_answer() -> None:
    async def check(server: DnsServer, resolver: DnsResolver) -> Answer:
        asked = Question("silent.test", "A")
        first = asyncio.create_task(resolver.resolve([asked]))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(resolver.resolve([asked]))
        await asyncio.sleep(0.02)
        first.cancel()
        return (await second)[asked]

    assert _with(check, 0.3).status == "timeout"


def test_a_server_that_is_not_there_is_a_failure() -> None:
    async def check() -> Answer:
        asked = Question("example.test", "A")
        return (await DnsResolver("127.0.0.1:1", timeout=0.3).resolve([asked]))[asked]

    assert asyncio.run(check()).failed


def test_the_cache_forgets_what_was_used_least() -> None:
    cache = AnswerCache(2, lambda: 0.0)
    for name in "abc":
        cache.put(Question(name, "A"), Answer("noerror", ("192.0.2.1",), 60))
    assert [cache.get(Question(name, "A")) is not None for name in "abc"] == [False, True, True]


def test_the_cache_forgets_what_has_expired() -> None:
    moment = [0.0]
    cache = AnswerCache(10, lambda: moment[0])
    cache.put(Question("a", "A"), Answer("noerror", ("192.0.2.1",), 60))
    cache.put(Question("b", "A"), Answer("timeout"))
    cache.put(Question("c", "A"), Answer("noerror", ("192.0.2.1",), 0))
    moment[0] = 30
    kept = [cache.get(Question(name, "A")) is not None for name in "abc"]
    moment[0] = 61
    assert kept == [True, False, False]
    assert cache.get(Question("a", "A")) is None


@pytest.mark.parametrize("text", ["nonsense:x", "300.1.1.1", "host.example"])
def test_a_list_of_servers_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        DnsResolver(text)


def test_servers_are_read_in_all_forms() -> None:
    resolver: Any = DnsResolver("192.0.2.1, 192.0.2.2:5353, [2001:db8::1]:53, 2001:db8::2")
    assert len(resolver._resolver.nameservers) == 4

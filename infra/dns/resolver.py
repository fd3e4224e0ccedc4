"""The DNS port on dnspython: asynchronous, over UDP and TCP, cached by time to live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from infra.dns.cache import AnswerCache
from infra.dns.outage import Outage
from mail.authentication.dns import Answer, Question, Record, bounded

_AT_ONCE = 64
# The largest datagram that is never fragmented on the way (DNS flag day 2020).
_DATAGRAM = 1232
_TIMED_OUT = Answer("timeout")


class DnsResolver:
    """Answers questions from the servers of a `host:port,...` list, or from the system's.

    A server that does not answer costs `timeout` seconds at most, whatever was asked, and soon
    next to nothing (see `outage`); the same question asked twice at once is sent once.
    """

    def __init__(
        self,
        servers: str = "",
        *,
        timeout: float = 5.0,
        entries: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the list of servers. Raises ValueError when it is malformed."""
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = _servers(servers)
        self._resolver.timeout = timeout / 2
        self._resolver.lifetime = timeout
        self._resolver.use_edns(0, 0, _DATAGRAM)
        self._cache = AnswerCache(entries, clock)
        self._clock = clock
        self._outage = Outage(timeout, clock)
        self._under_way: dict[Question, asyncio.Future[Answer]] = {}

    def at_hand(self, asked: Question) -> Answer | None:
        """Return the answer to a question when it is in the cache."""
        return self._cache.get(asked)

    async def resolve(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        """Answer every question; a failure is an answer too. Raises nothing but on cancelling."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(asked: Question) -> Answer:
            known = self._cache.get(asked)
            if known is not None:
                return known
            async with gate:
                seconds = await self._outage.patience()
                return await self._once(asked, seconds) if seconds else _TIMED_OUT

        unique = list(dict.fromkeys(questions))
        answers = await asyncio.gather(*(one(asked) for asked in unique))
        return dict(zip(unique, answers, strict=True))

    async def _once(self, asked: Question, seconds: float) -> Answer:
        waiting = self._under_way.get(asked)
        if waiting is not None and waiting.get_loop() is asyncio.get_running_loop():
            return await asyncio.shield(waiting)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._under_way[asked] = future
        answer = _TIMED_OUT
        begun = self._clock()
        try:
            answer = bounded(asked, await self._ask(asked, seconds))
            self._cache.put(asked, answer)
        finally:
            if answer.status != "timeout":
                self._outage.answered()
            elif self._clock() - begun >= self._resolver.timeout:
                # Also when whoever asked has given up: a whole try has gone unanswered.
                self._outage.unanswered()
            # When this task is cancelled, those who wait for it learn that there is no answer.
            self._under_way.pop(asked, None)
            if not future.done():
                future.set_result(answer)
        return answer

    async def _ask(self, asked: Question, seconds: float) -> Answer:
        if not self._resolver.nameservers:
            return Answer("servfail")
        try:
            name = dns.name.Name([*(part.encode("ascii") for part in asked.name.split(".")), b""])
            found = await self._resolver.resolve(
                name, asked.rrtype, raise_on_no_answer=False, search=False, lifetime=seconds
            )
        except dns.resolver.NXDOMAIN as absent:
            return Answer("nxdomain", (), _negative_ttl(absent))
        except dns.resolver.LifetimeTimeout:
            return Answer("timeout")
        except (dns.exception.DNSException, OSError, ValueError):
            # No server gave an answer that can be read: refusals, loops, malformed messages.
            return Answer("servfail")
        ttl = found.chaining_result.minimum_ttl
        if found.rrset is None:
            return Answer("nodata", (), ttl)
        return Answer("noerror", _records(found), ttl)


def _records(found: dns.resolver.Answer) -> tuple[Record, ...]:
    records: list[Record] = []
    for data in found:
        if isinstance(data, TXT):
            # RFC 7208 section 3.3 and others: the strings of a record are joined.
            records.append(b"".join(data.strings))
        elif isinstance(data, MX):
            records.append((data.preference, data.exchange.to_text(omit_final_dot=True)))
        else:
            records.append(data.to_text().removesuffix("."))
    return tuple(records)


def _negative_ttl(absent: dns.resolver.NXDOMAIN) -> int:
    kept = cast("Mapping[str, Mapping[object, object]]", absent.kwargs)
    ttls = [
        response.resolve_chaining().minimum_ttl
        for response in kept.get("responses", {}).values()
        if isinstance(response, dns.message.QueryMessage)
    ]
    return min(ttls, default=0)


def _servers(text: str) -> list[str | dns.nameserver.Nameserver]:
    if not text.strip():
        try:
            return list(dns.resolver.Resolver().nameservers)
        except dns.resolver.NoResolverConfiguration:
            return []
    return [_server(item.strip()) for item in text.split(",") if item.strip()]


def _server(item: str) -> dns.nameserver.Nameserver:
    host, port = item, "53"
    if item.startswith("["):
        host, _, rest = item[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif item.count(":") == 1:
        host, _, port = item.partition(":")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        return dns.nameserver.Do53Nameserver(str(ip_address(host)), int(port))
    except ValueError:
        raise ValueError(f"{item!r} is no DNS server: write ADDRESS:PORT") from None

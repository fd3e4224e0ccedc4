"""A DNS server for tests: answers from zone data, over UDP and TCP, with faults by name."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from mail.authentication.dns import Answer, Question, Record
from mail.authentication.zone import Zone


@dataclass(frozen=True)
class Fault:
    """What goes wrong for one name."""

    delay: float = 0.0
    """Seconds before the answer."""
    drop: bool = False
    """No answer at all."""
    servfail: bool = False
    truncate: bool = False
    """Over UDP only the truncation flag; the answer comes over TCP."""
    garbage: bool = False
    """Octets that are no DNS message."""
    wrong_type: bool = False
    """An address where something else was asked for."""
    wrong_question: bool = False
    """The answer to another question."""


class DnsServer:
    """A server on a free port of 127.0.0.1.

    `async with dns_server(...)` runs it on the loop of a test; `with DnsServer(...)` in a thread
    of its own, for tests that run other processes.
    """

    def __init__(
        self, zone: Zone | Mapping[str, Any], faults: Mapping[str, Fault] | None = None
    ) -> None:
        self.zone = zone if isinstance(zone, Zone) else Zone(zone)
        self.faults = faults or {}
        self.port = 0
        self.asked: list[Question] = []
        self.over_tcp: list[Question] = []

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        ready = threading.Event()

        async def serve() -> None:
            async with self.running():
                ready.set()
                await self._closing.wait()

        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(serve(),), daemon=True
        )
        self._thread.start()
        if not ready.wait(10):
            raise TimeoutError("the DNS server did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)
        self._loop.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve on the running loop."""
        tcp = await asyncio.start_server(self._stream, "127.0.0.1", 0)
        self.port = tcp.sockets[0].getsockname()[1]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Udp(self), local_addr=("127.0.0.1", self.port)
        )
        try:
            yield self
        finally:
            transport.close()
            tcp.close()
            await tcp.wait_closed()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = struct.unpack("!H", await reader.readexactly(2))[0]
            wire = await self.answer(await reader.readexactly(size), tcp=True)
            if wire is not None:
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Return the reply to a query, or None when it is dropped."""
        query = dns.message.from_wire(wire)
        wanted = query.question[0]
        asked = Question(
            wanted.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(wanted.rdtype)
        )
        self.asked.append(asked)
        if tcp:
            self.over_tcp.append(asked)
        fault = self.faults.get(asked.name, Fault())
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop:
            return None
        if fault.garbage:
            return wire[:2] + b"\xff" * 20
        reply = dns.message.make_response(query)
        if fault.servfail:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply.to_wire()
        if fault.truncate and not tcp:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        if fault.wrong_question:
            other = dns.message.make_query("other.test", "A")
            other.id = query.id
            return dns.message.make_response(other).to_wire()
        if fault.wrong_type:
            reply.answer.append(dns.rrset.from_text(wanted.name, 60, "IN", "A", "192.0.2.66"))
            return reply.to_wire()
        self._fill(reply, wanted.name, asked)
        whole = reply.to_wire(max_size=65535)
        if tcp or len(whole) <= query.payload or len(whole) <= 512:
            return whole
        short = dns.message.make_response(query)
        short.flags |= dns.flags.TC
        return short.to_wire()

    def _fill(self, reply: dns.message.Message, name: dns.name.Name, asked: Question) -> None:
        alias = self.zone.alias(asked.name)
        if alias is not None and asked.rrtype != "CNAME":
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", alias + "."))
        found: Answer = self.zone[asked]
        if found.status == "nxdomain":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if found.status in ("nxdomain", "nodata"):
            soa = "ns.test. root.test. 1 2 3 4 60"
            reply.authority.append(dns.rrset.from_text(name, 60, "IN", "SOA", soa))
        elif found.failed:
            reply.set_rcode(dns.rcode.SERVFAIL)
        else:
            owner = name if alias is None else dns.name.from_text(self.zone.target(asked.name))
            rows = [_text(record) for record in found.records]
            reply.answer.append(dns.rrset.from_text(owner, 60, "IN", asked.rrtype, *rows))


def _text(record: Record) -> str:
    if isinstance(record, bytes):
        parts = [record[at : at + 255] for at in range(0, len(record), 255)] or [b""]
        return " ".join('"' + "".join(f"\\{octet:03d}" for octet in part) + '"' for part in parts)
    if isinstance(record, tuple):
        return f"{record[0]} {record[1]}."
    return record if record.replace(".", "").isdigit() or ":" in record else record + "."


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's transport sends datagrams without being a DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        async def reply() -> None:
            wire = await self._server.answer(data, tcp=False)
            if wire is not None:
                self._transport.sendto(wire, addr)

        task = asyncio.get_running_loop().create_task(reply())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def dns_server(
    zone: Zone, faults: Mapping[str, Fault] | None = None
) -> AbstractAsyncContextManager[DnsServer]:
    """Run a server on the running loop."""
    return DnsServer(zone, faults).running()

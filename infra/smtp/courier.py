"""The courier on aiosmtplib: hands a mail to the first host of a domain that takes it.

One mail to one recipient in a session. TLS is used whenever a host offers it, and not verified:
protection from listeners, not from impostors (RFC 7435).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from infra.ports import Parcel, Receipt
from infra.smtp.session import Broken, Refused, hand_over
from mail.authentication.dns import Answer, Missing, Question
from mail.exchanges import Exchange, Unroutable, relayed, route

Resolve = Callable[[Sequence[Question]], Awaitable[Mapping[Question, Answer]]]

_ROUNDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. RFC 5321 section 4.5.3.2 names these values for a client."""

    connect: float = 60.0
    """No RFC's: a host that is there answers sooner, and the next one is tried after it."""
    command: float = 300.0
    data: float = 600.0
    """From the first octet of the message to the reply to its final dot: a time-out there sends
    the message twice (section 4.5.3.2.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How mail is sent. `relay` is a `(host, port)` that takes all of it; None sends by MX."""

    hostname: str
    port: int = 25
    relay: tuple[str, int] | None = None
    per_host: int = 4
    """Sessions with one host at once."""
    timeouts: Timeouts = field(default_factory=Timeouts)


class SmtpCourier:
    """Satisfies Courier; lives on one event loop."""

    def __init__(self, options: Options, resolve: Resolve) -> None:
        self._options = options
        self._resolve = resolve
        self._tls = _context()
        self._gates: dict[str, tuple[asyncio.Semaphore, int]] = {}

    async def deliver(self, parcel: Parcel) -> Receipt:
        """Try the hosts in their order, until one takes the mail or refuses it.

        A host that can't be spoken to is followed by the next (RFC 5321 section 5.1); one that
        says no to this mail is not, whether for now or for good.
        """
        try:
            exchanges = await self._route(parcel)
        except Unroutable as e:
            return Receipt(
                taken=False, permanent=e.permanent, enhanced=e.status, reason=e.reason, reply=str(e)
            )
        last = Receipt(taken=False, permanent=False, enhanced="4.4.1", reason="connect")
        for exchange in exchanges:
            try:
                async with self._gate(exchange.host):
                    return await self._hand_over(parcel, exchange)
            except Refused as e:
                return _refusal(e, exchange)
            except Broken as e:
                last = Receipt(
                    taken=False,
                    permanent=False,
                    code=e.code,
                    enhanced="4.4.2" if e.code == 0 and e.connected else "4.4.1",
                    reason="connection" if e.connected else "connect",
                    host=exchange.host,
                    address=exchange.address,
                    reply=str(e),
                )
        return last

    async def _hand_over(self, parcel: Parcel, exchange: Exchange) -> Receipt:
        o = self._options
        port = o.relay[1] if o.relay is not None else o.port
        try:
            taken = await hand_over(parcel, exchange, port, o.hostname, o.timeouts, self._tls)
        except Broken as e:
            if not e.in_handshake:
                raise
            # RFC 7435 section 3: where TLS fails that nobody asked for, the mail goes in clear.
            taken = await hand_over(parcel, exchange, port, o.hostname, o.timeouts, None)
        return replace(taken, host=exchange.host, address=exchange.address)

    async def _route(self, parcel: Parcel) -> list[Exchange]:
        """Return the hosts to try. Raises Unroutable."""
        o = self._options
        answers: dict[Question, Answer] = {}
        for _ in range(_ROUNDS):
            try:
                if o.relay is not None:
                    return relayed(o.relay[0], answers)
                return route(parcel.domain, answers, own=o.hostname, seed=parcel.id)
            except Missing as missing:
                answers.update(await self._resolve(missing.questions))
        raise Unroutable("dns", "4.4.3")

    @asynccontextmanager
    async def _gate(self, host: str) -> AsyncGenerator[None]:
        """Wait until there are fewer sessions with `host` than there may be."""
        gate, users = self._gates.get(host, (asyncio.Semaphore(self._options.per_host), 0))
        self._gates[host] = (gate, users + 1)
        try:
            async with gate:
                yield
        finally:
            _, users = self._gates[host]
            if users == 1:
                del self._gates[host]
            else:
                self._gates[host] = (gate, users - 1)


def _refusal(refused: Refused, exchange: Exchange) -> Receipt:
    return Receipt(
        taken=False,
        permanent=refused.permanent,
        code=refused.code,
        enhanced=refused.enhanced,
        reason=refused.reason,
        host=exchange.host,
        address=exchange.address,
        reply=refused.text,
    )


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

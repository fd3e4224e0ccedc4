"""One connection: moves bytes between a client and its Session.

A subclass of aiosmtpd's SMTP, which brings the life of the connection (accepting, time-outs,
closing). Its command loop and its DATA are replaced: they read by lines, take a bare LF for a
line end, and give no enhanced status codes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from infra.ports import EngineDown
from ingress.arrival import Envelope
from ingress.client import is_within, network_of, plain_address
from ingress.smtp import replies
from ingress.smtp.acceptance import FAULTS
from ingress.smtp.admission import (
    CONNECTIONS,
    ERRORS,
    MESSAGES,
    RECIPIENTS,
)
from ingress.smtp.commands import MAX_LINE, Mail
from ingress.smtp.data_reader import DataReader, Message, Refusal
from ingress.smtp.door import Door
from ingress.smtp.inbound import Disconnected, Inbound, LineTooLong
from ingress.smtp.paths import Path
from ingress.smtp.replies import Reply
from ingress.smtp.session import (
    Begin,
    BeginTls,
    Offer,
    Reached,
    ReadMessage,
    Resolve,
    Session,
    Transaction,
    Wish,
)
from ingress.smtp.xforward import Client


def template(offer: Offer, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """Return the attributes that SMTP.__init__ sets, to be copied into each connection.

    SMTP.__init__ walks over all members of its class with inspect, at 0.37 ms a connection, and
    finds the same each time.
    """
    return dict(vars(SMTP(None, hostname=offer.hostname, loop=loop)))


class Connection(SMTP):
    """One client."""

    def __init__(
        self, door: Door, loop: asyncio.AbstractEventLoop, like: Mapping[str, Any]
    ) -> None:
        """`like` is a template() made for the same offer and event loop."""
        vars(self).update(like)
        self._inbound = Inbound(loop)
        asyncio.StreamReaderProtocol.__init__(
            self, self._inbound, client_connected_cb=self._cb_client_connected, loop=loop
        )
        self._door = door
        self._timeout_duration = door.timeouts.idle
        self._dialog = Session(door.offer)
        self._tcp: asyncio.Transport | None = None
        self._address = ""
        self._network = ""
        self._trusted = False
        self._tls_facts = ("", "")
        self._entered = False
        self._ended = False
        self._draining = False
        self._out = bytearray()
        self._deadline = loop.time() + door.timeouts.session

    # -- life of the connection -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the base class starts `_handle_client` as a task."""
        peer: Any = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._address = plain_address(str(cast("tuple[Any, ...]", peer)[0]))
            self._network = network_of(self._address)
            self._trusted = is_within(self._address, self._door.trusted)
            self._dialog = Session(self._door.offer, trusted=self._trusted)
        self._tcp = cast("asyncio.Transport", transport)
        self._door.live.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End; the base class cancels the task."""
        if self._ended:
            return
        self._ended = True
        super().connection_lost(error)
        self._door.live.discard(self)
        if self._entered:
            self._door.connections.leave(self._network)
            self._entered = False

    def eof_received(self) -> bool | None:
        """Let what the client sent before it closed its side be answered."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def _timeout_cb(self) -> None:
        # RFC 5321 section 3.8: say why, then close.
        self._say(replies.TIMED_OUT)
        self._hang_up()

    def shut_down(self) -> None:
        """End the connection before its next transaction, at once when none is under way."""
        self._draining = True
        if self._dialog.transaction is None:
            self._say(replies.SHUTTING_DOWN)
            self._hang_up()

    @property
    def unread(self) -> int:
        """How many octets have come in and wait to be read."""
        return len(self._inbound.buffer)

    def abort(self) -> None:
        """End the connection without a word."""
        if self._tcp is not None:
            self._tcp.abort()

    def _hang_up(self) -> None:
        self._flush()
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is None or transport.is_closing():
            return
        # Closing waits for what was written to be sent; a client that reads nothing can't hold us.
        if transport.get_write_buffer_size():
            self.loop.call_later(self._door.timeouts.closing, self.abort)
        transport.close()

    def _say(self, reply: Reply) -> None:
        self._out += reply.encode()

    def _flush(self) -> None:
        if self._out and self.transport is not None:
            cast("asyncio.Transport", self.transport).write(bytes(self._out))
            self._out.clear()

    # -- the dialogue ---------------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            await self._converse()
        except (Disconnected, OSError):
            self._hang_up()
        except Exception:
            # A defect of ours: the client may try again, the loop's exception handler hears of it.
            self._say(replies.INTERNAL_ERROR)
            self._hang_up()
            raise

    async def _converse(self) -> None:
        refused = self._admit()
        self._say(refused or self._greeting())
        if refused is not None:
            self._hang_up()
            return
        while True:
            reply = await self._next()
            if reply is not None:
                self._say(reply)
                if reply.closing:
                    self._hang_up()
                    return
            if self._dialog.transaction is not None:
                continue
            if self._draining or self.loop.time() >= self._deadline:
                self._say(replies.SHUTTING_DOWN if self._draining else replies.TIMED_OUT)
                self._hang_up()
                return

    def _greeting(self) -> Reply:
        offer = self._door.offer
        return replies.greeting(offer.hostname, offer.dialect.name)

    def _client(self) -> Client:
        """Return whom the mail of this transaction comes from, as far as is known."""
        if self._dialog.takes_xforward:
            # The peer is our own mail server: its address says nothing of who sent the mail.
            return self._dialog.forwarded or Client()
        return Client(address=self._address, helo=self._dialog.client_name)

    def _too_fast(self, limit: str) -> bool:
        """Count one more; True when a limit on the rate is exceeded.

        A server of our own speaks for many: what it hands over counts for the client it names.
        """
        network = self._network
        if self._dialog.takes_xforward:
            network = network_of(self._client().address)
            if not network:
                return False
        return self._door.limits.hit(limit, network) > 0

    def _admit(self) -> Reply | None:
        if self._draining:
            return replies.SHUTTING_DOWN
        if not self._door.connections.enter(self._network):
            return replies.TOO_MANY_CONNECTIONS
        self._entered = True
        if self._too_fast(CONNECTIONS):
            return replies.CONNECTIONS_TOO_FAST
        return None

    async def _next(self) -> Reply | None:
        # RFC 2920 section 3.2: answers to commands that came together go together.
        if not self._inbound.has_line():
            self._flush()
            await self._writer.drain()
        try:
            line = await self._inbound.line(MAX_LINE)
        except LineTooLong:
            self._reset_timeout()
            return self._counted(self._dialog.refusal(replies.LINE_TOO_LONG))
        self._reset_timeout()
        answer = self._dialog.take(line)
        if isinstance(answer, Reply):
            return self._counted(answer)
        try:
            return await self._grant(answer)
        except EngineDown:
            return replies.ENGINE_DOWN

    def _counted(self, reply: Reply) -> Reply:
        refused = reply.refuses and not reply.closing
        if refused and self._too_fast(ERRORS):
            return replies.TOO_MANY_ERRORS
        return reply

    async def _grant(self, wish: Wish) -> Reply | None:
        match wish:
            case Begin():
                return await self._begin(wish.mail)
            case Resolve():
                return await self._resolve(wish.path)
            case ReadMessage():
                return await self._read_message()
            case BeginTls():
                return await self._begin_tls()

    async def _begin(self, mail: Mail) -> Reply:
        if self._draining:
            return replies.SHUTTING_DOWN
        wait = self._door.back_pressure.wait(self._door.lag.lag())
        if wait is None:
            return replies.SYSTEM_BUSY
        if self._too_fast(MESSAGES):
            return replies.TOO_MANY_MESSAGES
        if wait:
            await asyncio.sleep(wait)
        return self._dialog.begun(mail)

    async def _resolve(self, path: Path) -> Reply:
        if self._too_fast(RECIPIENTS):
            return replies.RECIPIENTS_TOO_FAST
        transaction = self._dialog.transaction
        of_nobody = transaction is not None and not transaction.reverse_path.text
        found = await self._door.recipients.resolve(path, of_nobody=of_nobody)
        if isinstance(found, Reply):
            return self._counted(self._dialog.refusal(found))
        return self._dialog.resolved(path, found)

    # -- a message ------------------------------------------------------------------------

    async def _read_message(self) -> Reply:
        transaction = self._dialog.transaction
        assert transaction is not None
        self._say(replies.START_DATA)
        lease = self._door.memory.lease()
        try:
            read = await self._message(lease.hold)
            if isinstance(read, Refusal):
                answers = self._for_each(transaction, self._blamed(read))
            else:
                answers = await self._taken(read.content, transaction)
        finally:
            lease.release()
            self._dialog.ended()
        for answer in answers[:-1]:
            self._say(answer)
        return answers[-1]

    def _blamed(self, refusal: Refusal) -> Reply:
        reply = FAULTS[refusal.fault]
        # Our memory is not the client's fault.
        if refusal.fault == "no-memory":
            return reply
        return self._counted(self._dialog.refusal(reply))

    def _for_each(self, transaction: Transaction, reply: Reply) -> Sequence[Reply]:
        # RFC 2033 section 4.2: one for each successful RCPT, in their order. Where the connection
        # ends, section 5 has the client take those that are missing for temporary failures.
        each = self._door.offer.dialect.each_recipient and not reply.closing
        return [reply] * (len(transaction.recipients) if each else 1)

    async def _taken(self, content: bytes, transaction: Transaction) -> Sequence[Reply]:
        if not self._door.offer.dialect.each_recipient:
            return [await self._accept(content, transaction, transaction.recipients)]
        try:
            full = await self._door.recipients.full(
                {m for r in transaction.recipients for m in r.mailboxes}
            )
        except EngineDown:
            return self._for_each(transaction, replies.ENGINE_DOWN)
        with_room = [r for r in transaction.recipients if full.isdisjoint(r.mailboxes)]
        if not with_room:
            return self._for_each(transaction, replies.OVER_QUOTA)
        reply = await self._accept(content, transaction, with_room)
        return [
            reply if full.isdisjoint(r.mailboxes) else replies.OVER_QUOTA
            for r in transaction.recipients
        ]

    async def _message(self, hold: Callable[[int], bool]) -> Message | Refusal:
        reader = DataReader(self._door.offer.max_message_bytes, hold)
        if not self._inbound.buffer:
            self._flush()
        deadline = self.loop.time() + self._door.timeouts.message
        while True:
            if self._inbound.buffer:
                read = reader.feed(self._inbound.buffer)
                if read is not None:
                    return read
                self._flush()
                self._reset_timeout()
            if self.loop.time() >= deadline:
                self._timeout_cb()
                raise Disconnected
            await self._inbound.more()

    async def _accept(
        self, content: bytes, transaction: Transaction, recipients: Sequence[Reached]
    ) -> Reply:
        client = self._client()
        envelope = Envelope(
            source=self._door.offer.dialect.source,
            client_address=client.address,
            client_name=client.name,
            helo=client.helo,
            reverse_path=transaction.reverse_path.text,
            forward_paths=[r.forward_path for r in recipients],
            forwards=[f for r in recipients for f in r.forwards],
            smtputf8=transaction.smtputf8,
            tls_version=self._tls_facts[0],
            tls_cipher=self._tls_facts[1],
        )
        # While it waits for us the client is not idle.
        self._rest_timeout()
        try:
            return await self._door.acceptance.accept(
                content, envelope, [m for r in recipients for m in r.mailboxes]
            )
        finally:
            self._reset_timeout()

    def _rest_timeout(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    # -- TLS ------------------------------------------------------------------------------

    async def _begin_tls(self) -> Reply | None:
        # What came in clear must not be taken for what comes by TLS (CVE-2011-0411).
        if self._inbound.buffer:
            return replies.PIPELINED_STARTTLS
        self._say(replies.READY_FOR_TLS)
        self._flush()
        plain = cast("asyncio.Transport", self.transport)
        # No turn of the event loop lies between the check above and the change of protocol.
        secure = await self._handshake(plain)
        self.transport = self._transport = secure
        self._over_ssl = True
        self._inbound.set_transport(secure)
        self._tls_facts = _tls_facts(secure)
        # RFC 3207 section 4.2: nothing that was said before counts.
        self._dialog = Session(self._door.offer, over_tls=True, trusted=self._trusted)
        self._reset_timeout()
        return None

    async def _handshake(self, plain: asyncio.Transport) -> asyncio.BaseTransport:
        assert self._door.tls is not None
        secure: asyncio.BaseTransport | None = None
        try:
            secure = await self.loop.start_tls(
                plain,
                self,
                self._door.tls,
                server_side=True,
                ssl_handshake_timeout=self._door.timeouts.handshake,
                ssl_shutdown_timeout=self._door.timeouts.closing,
            )
        finally:
            if secure is None:
                plain.abort()
                # The TLS layer tells nobody of a connection that is lost in the handshake.
                self.loop.call_soon(self.connection_lost, None)
        if secure is None:
            raise Disconnected
        return secure


def _tls_facts(transport: asyncio.BaseTransport) -> tuple[str, str]:
    layer: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if layer is None:
        return "", ""
    cipher = layer.cipher()
    return layer.version() or "", cipher[0] if cipher else ""

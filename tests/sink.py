"""An SMTP server for tests: keeps what it is given, and answers as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Delivered:
    """A mail that was taken."""

    sender: str
    recipients: list[str]
    content: bytes
    helo: str
    options: list[str]


class Sink:
    """A server on a free port of 127.0.0.1, in a thread of its own.

    `answers` are replies to the final dot, one a mail; when they are used up it takes everything.
    `at_rcpt` may refuse a recipient: it returns a reply, or "".
    """

    def __init__(
        self,
        answers: Sequence[str] = (),
        at_rcpt: Callable[[str], str] = lambda _: "",
        **server: Any,
    ) -> None:
        self.answers = list(answers)
        self.at_rcpt = at_rcpt
        self.delivered: list[Delivered] = []
        self.tries = 0
        self.open = 0
        self.most_open = 0
        self.port = 0
        self.hold = 0.0
        self._server = {"enable_SMTPUTF8": True, "decode_data": False, **server}

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        ready = threading.Event()

        async def serve() -> None:
            server = await self._loop.create_server(self._connection, "127.0.0.1", self.port)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._closing.wait()
            server.close()

        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(serve(),), daemon=True
        )
        self._thread.start()
        if not ready.wait(10):
            raise TimeoutError("the sink did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)

    def _connection(self) -> SMTP:
        return SMTP(self, hostname="sink.test", loop=self._loop, **self._server)

    # -- called by aiosmtpd

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        refused = self.at_rcpt(address)
        if refused:
            self.tries += 1
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.tries += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(self.hold)
        self.open -= 1
        answer = self.answers.pop(0) if self.answers else "250 2.0.0 taken"
        if answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.delivered.append(
                Delivered(
                    "" if envelope.mail_from in (None, "<>") else envelope.mail_from,
                    list(envelope.rcpt_tos),
                    content,
                    str(session.host_name),
                    list(envelope.mail_options),
                )
            )
        return answer

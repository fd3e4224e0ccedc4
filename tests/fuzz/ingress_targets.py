"""Fuzz targets of the doors: any bytes as an SMTP session, any bytes as an mbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from random import Random

from ingress.client import plain_address
from ingress.importer.dates import from_line_date, header_date
from ingress.importer.kept import crlf
from ingress.importer.marks import mbox_marks
from ingress.importer.mbox import is_mbox, messages
from ingress.lmtp.dialect import LMTP
from ingress.mx.dialect import ESMTP
from ingress.smtp.dialect import Dialect
from ingress.smtp.paths import SyntaxFault
from ingress.smtp.xforward import Client, attributes
from mail.fields import split_header
from tests.ingress.smtp.in_memory import MemoryMx, replies
from tests.ingress.smtp.mutation import SEEDS, chunks


def fuzz_smtp_dialog(data: bytes) -> None:
    """Hold a session; the first octet says how it is cut. Every reply is a proper one."""
    _hold(ESMTP, data)


def fuzz_lmtp_dialog(data: bytes) -> None:
    """The same in LMTP."""
    _hold(LMTP, data)


def _hold(dialect: Dialect, data: bytes) -> None:
    async def scenario() -> None:
        mx, defects = MemoryMx(dialect), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _, c: defects.append(c))
        found = replies(await mx.converse(chunks(Random(data[:1]), data[1:])))
        assert found[0][0] == 220
        assert not defects
        assert mx.memory.held == 0
        queued = {text for _, _, text in found if "queued as" in text}
        assert len(queued) == len(mx.intake.arrivals)

    asyncio.run(scenario())


def fuzz_xforward(data: bytes) -> None:
    """Read the attributes of XFORWARD; what is told can stand in a header and in an event."""
    try:
        found = attributes(data.decode("utf-8", "replace"))
    except SyntaxFault:
        return
    assert found
    for value in found.values():
        assert re.fullmatch(r"[!-~]{0,255}", value)
    client = Client().updated(found)
    assert client.address == plain_address(client.address)
    assert Client().updated(found).updated(found) == client


def fuzz_mbox(data: bytes) -> None:
    """Take an mbox apart; messages follow one another, and all that is read of them is read."""
    is_mbox(data)
    end = 0
    for message in messages(data):
        assert end <= message.end <= len(data)
        end = message.end
        header = split_header(message.content)
        mbox_marks(message.content[: header.body])
        header_date(header)
        from_line_date(message.from_line)
        whole = crlf(message.content)
        assert whole.count(b"\n") == whole.count(b"\r\n")


def _dialog_seeds(name: str) -> Callable[[], list[bytes]]:
    return lambda: [bytes([i]) + seed for i, seed in enumerate(SEEDS[name])]


def _xforward_seeds() -> list[bytes]:
    return [
        b"NAME=mail.sender.test ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP",
        b"HELO=[192.0.2.7] IDENT=4FZ SOURCE=REMOTE",
        b"NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::25 HELO=a+2Bb+3Dc+20d",
    ]


def _mbox_seeds() -> list[bytes]:
    line = b"From s@sender.test Mon Jan  1 00:00:00 2001\n"
    counted = b"Subject: x\nContent-Length: 5\nStatus: RO\n\ntext\n\n"
    gmail = b'X-Gmail-Labels: Inbox,=?UTF-8?Q?B=C3=BCcher?=,"a, b"\n\ntext\n\n'
    quoted = b"Subject: y\r\nX-Keywords: A B\r\n\r\n>From here\r\n>>From there\r\n\r\n"
    return [line + counted + line + counted, line + gmail, line + quoted + b"From x\n" + line]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "smtp_dialog": (fuzz_smtp_dialog, _dialog_seeds("ESMTP")),
    "lmtp_dialog": (fuzz_lmtp_dialog, _dialog_seeds("LMTP")),
    "xforward": (fuzz_xforward, _xforward_seeds),
    "mbox": (fuzz_mbox, _mbox_seeds),
}

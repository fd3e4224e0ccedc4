"""SMTP smuggling: what another server may take for the end of a message is not one here.

Every sequence, dot-stuffed or not, in the middle of a message that then holds a second dialogue;
whole session in one write and byte by byte. There is never a second message, and never a hang.
"""

from __future__ import annotations

import asyncio

import pytest

from ingress.lmtp.dialect import LMTP
from ingress.mx.dialect import ESMTP
from ingress.smtp.dialect import Dialect
from tests.ingress.smtp.client import running

ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\r",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\n.\r",
    b"\r.\n",
    b"\n\r.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\0\r\n.\n",
]
DOORS = pytest.mark.parametrize("dialect", [ESMTP, LMTP], ids=lambda d: d.name)
WAYS = pytest.mark.parametrize("way", ["whole", "byte by byte"])
SECOND = (
    b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
)
START = b" client.test\r\nMAIL FROM:<s@sender.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"


def stuffed(end: bytes) -> bytes:
    return end.replace(b".", b"..")


def session(dialect: Dialect, end: bytes) -> bytes:
    return (
        dialect.hello[0].encode()
        + START
        + b"Subject: first\r\n\r\nfirst"
        + end
        + SECOND
        + b"QUIT\r\n"
    )


async def outcome(dialect: Dialect, stream: bytes, way: str) -> tuple[list[str], int]:
    """Return the replies after DATA, and how many messages were accepted."""
    pieces = len(stream) if way == "whole" else 1
    async with running(dialect) as mx:
        client = await mx.connect()
        for i in range(0, len(stream), pieces):
            client.writer.write(stream[i : i + pieces])
            if pieces < len(stream):
                await asyncio.sleep(0)
        client.writer.write_eof()
        text = (await client.rest()).decode()
        replies = text.split("\r\n")
        after = replies[next(i for i, r in enumerate(replies) if r.startswith("354")) + 1 :]
        return [r for r in after if r], len(mx.intake.arrivals)


@DOORS
@WAYS
@pytest.mark.parametrize("end", [*ENDS, *map(stuffed, ENDS)], ids=repr)
def test_there_is_no_second_message(end: bytes, way: str, dialect: Dialect) -> None:
    stream = session(dialect, end)
    replies, accepted = asyncio.run(outcome(dialect, stream, way))
    assert replies[0].startswith(("550 5.6.0 ", "500 ", "503 "))
    assert accepted == 0
    assert replies[-1] == "221 2.0.0 Bye"


@DOORS
@WAYS
def test_the_true_end_ends_a_message(way: str, dialect: Dialect) -> None:
    stream = session(dialect, b"\r\n.\r\n")
    replies, accepted = asyncio.run(outcome(dialect, stream, way))
    assert accepted == 2
    assert [r[:3] for r in replies] == ["250", "250", "250", "354", "250", "221"]


@DOORS
@WAYS
def test_a_stuffed_end_is_text(way: str, dialect: Dialect) -> None:
    stream = session(dialect, b"\r\n..\r\n")
    replies, accepted = asyncio.run(outcome(dialect, stream, way))
    assert accepted == 1
    assert [r[:3] for r in replies] == ["250", "221"]

"""Mutated dialogs with the MX, and with LMTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from tests.ingress.lmtp.dialogs import DIALOGS as LMTP_DIALOGS
from tests.ingress.smtp.dialogs import DIALOGS, Step


def _sent(dialogs: Mapping[str, Sequence[Step]]) -> tuple[bytes, ...]:
    return tuple(
        b"".join(s.encode() + b"\r\n" if isinstance(s, str) else s[:3000] for s, _ in steps)
        for steps in dialogs.values()
    )


SEEDS: Mapping[str, tuple[bytes, ...]] = {"ESMTP": _sent(DIALOGS), "LMTP": _sent(LMTP_DIALOGS)}
"""What clients send, by the name of the dialect."""

TOKENS: tuple[bytes, ...] = (
    *(b"\r\n", b"\r", b"\n", b".", b"\r\n.\r\n", b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\0", b" "),
    *(b"<", b">", b"<>", b"@", b":", b'"', b"\\", b"\xff", b"\xc3\xbc", b"\xed\xa0\x80", b"\x1b"),
    *(b"EHLO a\r\n", b"LHLO a\r\n", b"XFORWARD ADDR=192.0.2.7 NAME=a.test\r\n", b" HELO=+41"),
    *(b"XFORWARD", b"=[UNAVAILABLE]", b"IPV6:2001:db8::1", b"+4", b"+00", b"="),
    *(b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<alice@example.test>\r\n"),
    *(b"DATA\r\n", b"RSET\r\n", b"QUIT\r\n", b"STARTTLS\r\n", b"BDAT 10\r\n", b"NOOP\r\n"),
    *(b" SIZE=99", b" SMTPUTF8", b" BODY=8BITMIME", b"x" * 3000, b"." * 100, b"@" * 300),
)


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a dialog with some of its bytes cut, doubled, turned, mixed with others'."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, len(data))
        to = min(len(data), at + int(random.expovariate(0.05)))
        match random.randrange(6):
            case 0:
                data[at:to] = b""
            case 1:
                data[at:at] = data[at:to]
            case 2 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 3:
                data[at:at] = random.choice(TOKENS)
            case 4:
                other = random.choice(seeds)
                data[at:] = other[random.randint(0, len(other)) :]
            case _:
                data[at:to] = random.randbytes(to - at)
    return bytes(data)


def chunks(random: Random, data: bytes) -> list[bytes]:
    """Return `data` in one piece, in large or in small ones."""
    most = random.choice((1, 3, 60, 1000, len(data) + 1))
    data = data[: 120 * most]
    out: list[bytes] = []
    pos = 0
    while pos < len(data):
        size = random.randint(1, most)
        out.append(data[pos : pos + size])
        pos += size
    return out

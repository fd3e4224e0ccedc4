"""Mails for the fault tests: each different, known byte for byte, some with large parts."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.system import DOMAIN


@dataclass(frozen=True)
class Letter:
    """A mail and its envelope."""

    number: int
    subject: str
    raw: bytes
    sender: str
    recipients: tuple[str, ...]

    @property
    def wire(self) -> bytes:
        """The mail as it follows DATA, its end included (RFC 5321 section 4.5.2)."""
        stuffed = self.raw.replace(b"\r\n.", b"\r\n..")
        return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


def letters(count: int, accounts: Sequence[str], seed: int) -> list[Letter]:
    """Return `count` mails; every third is for all accounts, the others for one."""
    rng = random.Random(seed)
    return [_letter(n, accounts, rng) for n in range(count)]


def _letter(n: int, accounts: Sequence[str], rng: random.Random) -> Letter:
    names = accounts if n % 3 == 0 else [accounts[n % len(accounts)]]
    subject = f"number {n} {rng.getrandbits(32):08x}"
    domain = f"dom{n % 40}.example.net"
    head = [
        f"From: Sender {n % 17} <s{n % 17}@{domain}>",
        f"To: {', '.join(f'{a}@{DOMAIN}' for a in names)}",
        f"Subject: {subject}",
        "Date: Tue, 24 Nov 2026 08:00:00 +0000",
        f"Message-ID: {message_id(n)}",
    ]
    if n and rng.random() < 0.4:
        parent = message_id(rng.randrange(n))
        head += [f"In-Reply-To: {parent}", f"References: {parent}"]
    body = "".join(f"Line {i} {rng.getrandbits(64):x}\r\n" for i in range(rng.randrange(1, 60)))
    body += ".\r\n..two dots\r\n"
    parts: list[tuple[str, str]] = []
    if n % 20 == 1:
        # One large leaf, cut out and stored apart.
        parts = [("application/octet-stream", _base64(rng.randbytes(100_000)))]
    elif n % 50 == 2:
        # Many small leaves: a skeleton too large for a record.
        parts = [("image/png", _base64(rng.randbytes(3_000))) for _ in range(40)]
    if parts:
        head += ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b0"']
        text = f"--b0\r\nContent-Type: text/plain\r\n\r\n{body}"
        body = text + "".join(
            f"\r\n--b0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}"
            for kind, data in parts
        )
        body += "--b0--\r\n"
    raw = ("\r\n".join(head) + "\r\n\r\n" + body).encode()
    return Letter(
        n, subject, raw, f"s{n % 17}@{domain}", tuple(f"{name}@{DOMAIN}" for name in names)
    )


def message_id(n: int) -> str:
    """Return the Message-ID of the letter `n`."""
    return f"<letter.{n}@dom{n % 40}.example.net>"


def _base64(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return "".join(text[i : i + 76] + "\r\n" for i in range(0, len(text), 76))

"""Messages for load: each different, signed, of a given size, from many senders."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mail.authentication.signing import SigningKey, generate_key, sign

_WORDS = [
    "time",
    "report",
    "meeting",
    "budget",
    "please",
    "attached",
    "minutes",
    "review",
    "Friday",
    "river",
    "table",
    "invoice",
    "order",
    "draft",
    "change",
    "question",
    "answer",
    "project",
    "release",
    "version",
    "customer",
    "support",
    "server",
    "update",
    "thanks",
    "regards",
    "schedule",
    "office",
    "team",
    "plan",
    "note",
    "holiday",
    "ticket",
    "garden",
    "music",
    "paper",
    "window",
    "bridge",
]
SENDERS = 50


@dataclass(frozen=True)
class Sender:
    """A sending domain with its DNS zone."""

    domain: str
    key: SigningKey

    def zone(self) -> dict[str, list[dict[str, object]]]:
        """Return the DNS of the domain in the form of `mailfold check --zone`."""
        return {
            self.domain: [
                {"TXT": f"v=spf1 include:_spf.{self.domain} mx -all"},
                {"MX": [10, f"mx.{self.domain}"]},
            ],
            f"mx.{self.domain}": [{"A": "192.0.2.7"}],
            f"_spf.{self.domain}": [{"TXT": "v=spf1 ip4:198.51.100.0/24 ip4:127.0.0.0/8 ~all"}],
            self.key.name: [{"TXT": self.key.record()}],
            f"_dmarc.{self.domain}": [{"TXT": "v=DMARC1; p=quarantine"}],
        }


def senders(count: int = SENDERS) -> list[Sender]:
    """Return `count` sending domains; four RSA-2048 keys are shared among them."""
    keys = [generate_key(f"dom{i}.example.net", "s1", "rsa") for i in range(4)]
    made: list[Sender] = []
    for i in range(count):
        domain = f"dom{i}.example.net"
        made.append(Sender(domain, SigningKey(domain, "s1", keys[i % 4].private)))
    return made


def messages(count: int, size: int, senders: Sequence[Sender], seed: int) -> list[bytes]:
    """Return `count` signed messages of about `size` octets; some answer earlier ones."""
    rng = random.Random(seed)
    now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    made: list[bytes] = []
    ids: list[str] = []
    for n in range(count):
        sender = senders[n % len(senders)]
        ident = f"<{seed}.{n}.{rng.getrandbits(48):x}@{sender.domain}>"
        subject = " ".join(rng.choices(_WORDS, k=5))
        head = [
            f"From: {rng.choice(_WORDS).title()} <user{n % 97}@{sender.domain}>",
            "To: Load <load@example.test>",
            f"Subject: {subject}",
            f"Date: Tue, 24 Nov 2026 08:{n // 60 % 60:02d}:{n % 60:02d} +0000",
            f"Message-ID: {ident}",
        ]
        if ids and rng.random() < 0.4:
            parent = rng.choice(ids[-500:])
            head += [f"In-Reply-To: {parent}", f"References: {parent}"]
        ids.append(ident)
        body = _text(rng, min(size, 20_000))
        if size > 20_000:
            head += ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b0"']
            blob = rng.randbytes(48) * ((size - 20_000) * 3 // 4 // 48)
            # The counter makes every attachment another one, as in real mail.
            blob = n.to_bytes(8, "big") + blob
            body = (
                "--b0\r\nContent-Type: text/plain\r\n\r\n"
                + body
                + "\r\n--b0\r\nContent-Type: application/octet-stream; name=a.bin\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n" + _base64(blob) + "--b0--\r\n"
            )
        raw = ("\r\n".join(head) + "\r\n\r\n" + body).encode()
        made.append(sign(raw, [sender.key], now) + raw)
    return made


def plain_messages(count: int, size: int, seed: int = 3) -> Iterator[bytes]:
    """Yield unsigned messages of about `size` octets in conversations, quick to make."""
    rng = random.Random(seed)
    bodies = [_text(rng, size - 400) for _ in range(64)]
    for n in range(count):
        ident = f"<{seed}.{n}@dom{n % 50}.example.net>"
        head = (
            f"From: {rng.choice(_WORDS).title()} <user{n % 997}@dom{n % 50}.example.net>\r\n"
            f"To: Load <load@example.test>\r\nSubject: {' '.join(rng.choices(_WORDS, k=5))}\r\n"
            f"Date: {n % 28 + 1} Nov 2026 {n // 3600 % 24:02d}:{n // 60 % 60:02d}:00 +0000\r\n"
            f"Message-ID: {ident}\r\n"
        )
        if n and rng.random() < 0.4:
            parent = rng.randrange(max(0, n - 500), n)
            head += f"References: <{seed}.{parent}@dom{parent % 50}.example.net>\r\n"
        yield (f"{head}\r\n{n:x}\r\n" + bodies[n % 64]).encode()


def _text(rng: random.Random, size: int) -> str:
    lines: list[str] = []
    length = 0
    while length < size:
        line = " ".join(rng.choices(_WORDS, k=10)) + f" {rng.getrandbits(20):x}"
        lines.append(line)
        length += len(line) + 2
    return "\r\n".join(lines) + "\r\n"


def _base64(data: bytes) -> str:
    import base64

    text = base64.b64encode(data).decode()
    return "".join(text[i : i + 76] + "\r\n" for i in range(0, len(text), 76))

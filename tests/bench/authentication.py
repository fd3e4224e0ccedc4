"""What each check of authentication costs, answers cached: `python -m tests.bench.authentication`.

DKIM is measured beside dkimpy on the same message, SPF beside pyspf on the same records.
"""

from __future__ import annotations

import json
import platform
import sys
import timeit
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import dkim
import spf

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import seal
from mail.authentication.author import read_author
from mail.authentication.dkim import DkimPolicy, check_dkim
from mail.authentication.dmarc import Identifier, check_dmarc
from mail.authentication.dns import Answer, Question
from mail.authentication.evaluate import Envelope, authenticate
from mail.authentication.homographs import suspicions
from mail.authentication.iprev import check_iprev
from mail.authentication.message import Message
from mail.authentication.signing import SigningKey, generate_key, sign
from mail.authentication.spf import check_spf
from mail.authentication.zone import Zone
from mail.trace import as_shown

SIZES = (2_000, 10_000, 75_000)
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
POLICY = DkimPolicy()
CLIENT = "192.0.2.7"
_LINE = b"A line of text that is about as long  as lines are in mail, really it is.\r\n"

RSA = generate_key("example.net", "s1", "rsa")
ED25519 = generate_key("example.net", "s2", "ed25519")
SEALER = generate_key("lists.example.org", "s1", "rsa")
ZONE = Zone(
    {
        "example.net": [{"TXT": "v=spf1 include:_spf.example.net mx -all"}],
        "_spf.example.net": [{"TXT": "v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/28 ~all"}],
        "_dmarc.example.net": [{"TXT": "v=DMARC1; p=quarantine"}],
        "7.2.0.192.in-addr.arpa": [{"PTR": "mx.example.net"}],
        "mx.example.net": [{"A": CLIENT}],
        **{key.name: [{"TXT": key.record()}] for key in (RSA, ED25519, SEALER)},
    }
)


def _answers() -> dict[Question, Answer]:
    """Every answer that is needed, as the cache of a resolver holds them."""
    wanted = [
        ("example.net", "TXT"),
        ("_spf.example.net", "TXT"),
        ("7.2.0.192.in-addr.arpa", "PTR"),
        ("mx.example.net", "A"),
        ("_dmarc.example.net", "TXT"),
        ("_dmarc.net", "TXT"),
        *((key.name, "TXT") for key in (RSA, ED25519, SEALER)),
    ]
    return {Question(*one): ZONE[Question(*one)] for one in wanted}


def _message(size: int) -> bytes:
    header = (
        b"From: Joe Sender <joe@example.net>\r\nTo: bob@receiver.test\r\nSubject: a subject\r\n"
        b"Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return header + _LINE * ((size - len(header)) // len(_LINE))


def _signed(raw: bytes, *keys: SigningKey) -> bytes:
    return sign(raw, keys, NOW) + raw


def _rows(raw: bytes) -> dict[str, Callable[[], object]]:
    answers = _answers()
    one, edwards, two = _signed(raw, RSA), _signed(raw, ED25519), _signed(raw, RSA, ED25519)
    none = check_arc(Message(one), answers, policy=POLICY)
    sealed = seal(one, "lists.example.org; dmarc=pass", none, SEALER, NOW) + one
    envelope = Envelope(CLIENT, "mx.example.net", "joe@example.net", "mx.receiver.test")
    author = read_author(Message(one))
    found = (Identifier("spf", "example.net", True), Identifier("dkim", "example.net", True))
    texts = {question.name.encode(): answer.records for question, answer in answers.items()}

    def key_record(name: bytes, timeout: int = 5) -> Any:
        return texts[name.rstrip(b".")][0]

    def lookup(name: str, rrtype: str, *_more: object) -> list[Any]:
        records = ZONE[Question(name.lower(), rrtype)].records
        return [((name, rrtype), (r,) if rrtype == "TXT" else r) for r in records]

    spf.DNSLookup = lookup
    return {
        "split the message": lambda: Message(one),
        "SPF": lambda: check_spf(
            CLIENT, "mx.example.net", "joe@example.net", answers, receiver="r", now=NOW
        ),
        "SPF, pyspf": lambda: spf.check2(i=CLIENT, s="joe@example.net", h="mx", querytime=0),
        "DKIM RSA-2048": lambda: check_dkim(Message(one), answers, now=NOW, policy=POLICY),
        "DKIM RSA-2048, dkimpy": lambda: dkim.verify(one, dnsfunc=key_record),
        "DKIM Ed25519": lambda: check_dkim(Message(edwards), answers, now=NOW, policy=POLICY),
        "DKIM both": lambda: check_dkim(Message(two), answers, now=NOW, policy=POLICY),
        "ARC, one set": lambda: check_arc(Message(sealed), answers, policy=POLICY),
        "DMARC": lambda: check_dmarc(author, found, answers),
        "iprev": lambda: check_iprev(CLIENT, answers),
        "From": lambda: suspicions(read_author(Message(one)), ("bank.test",)),
        "remove forged results": lambda: as_shown(one, b"", "mx.receiver.test"),
        "all of it": lambda: authenticate(one, envelope, answers, NOW),
        "sign RSA-2048": lambda: sign(raw, [RSA], NOW),
        "sign Ed25519": lambda: sign(raw, [ED25519], NOW),
        "seal": lambda: seal(one, "lists.example.org; dmarc=pass", none, SEALER, NOW),
    }


def milliseconds(repeats: int = 100) -> dict[str, list[float]]:
    """Return, for each check, milliseconds for one message of each size: the best of five runs."""
    table: dict[str, list[float]] = {}
    for size in SIZES:
        for name, call in _rows(_message(size)).items():
            best = min(timeit.repeat(call, number=repeats, repeat=5)) / repeats * 1000
            table.setdefault(name, []).append(best)
    return table


def rows() -> Iterator[dict[str, Any]]:
    """Yield a row for each check, its value that of the middle size."""
    for name, (small, middle, large) in milliseconds().items():
        yield {
            "row": f"{name}, a message of 10 kB, answers cached",
            "unit": "ms",
            "value": round(middle, 4),
            "2 kB": round(small, 4),
            "75 kB": round(large, 4),
        }


def main() -> None:
    """Print the table, or with --json one document."""
    table = milliseconds()
    if "--json" in sys.argv[1:]:
        print(json.dumps({"unit": "ms", "sizes": SIZES, "rows": table}))
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'ms a message':24}" + "".join(f"{size // 1000:>9} kB" for size in SIZES))
    for name, row in table.items():
        print(f"{name:24}" + "".join(f"{value:>12.4f}" for value in row))


if __name__ == "__main__":
    main()

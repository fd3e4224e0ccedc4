"""A verdict can be had again, years later, from the answers kept with it."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mail.authentication.dns import (
    MAX_EVIDENCE_BYTES,
    Answer,
    Question,
    from_plain,
    to_plain,
)
from mail.authentication.evaluate import Envelope, authenticate
from mail.authentication.resolution import Judged, authenticate_from
from tests.authentication.kit import NOW, OURS, PLAIN, key_for, keys_of, signed, zone
from tests.corpora import corpora

CLIENTS = ("192.0.2.1", "2001:db8::1", "198.51.100.7", None)


class Everything(dict[Question, Answer]):
    """A DNS in which every name exists, and says something that depends on its name alone."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, asked: Question) -> Answer:
        dice = zlib.crc32(f"{asked.name}/{asked.rrtype}".encode())
        if dice % 17 == 0:
            return Answer("timeout")
        if dice % 13 == 0:
            return Answer("servfail")
        if dice % 5 == 0:
            return Answer("nxdomain", (), 60)
        if dice % 7 == 0:
            return Answer("nodata", (), 60)
        return Answer("noerror", self._records(asked, dice), 60)

    def _records(self, asked: Question, dice: int) -> tuple[bytes | str | tuple[int, str], ...]:
        if asked.rrtype == "TXT":
            return (self._text(asked.name, dice),)
        if asked.rrtype == "MX":
            return tuple((n, f"mx{n}.{asked.name}") for n in range(dice % 12))
        if asked.rrtype == "PTR":
            return ("client.unrelated.test", "other.unrelated.test")
        return ("192.0.2.1",) if asked.rrtype == "A" else ("2001:db8::1",)

    def _text(self, name: str, dice: int) -> bytes:
        if "_domainkey" in name:
            return key_for("example.com").record().encode()
        if name.startswith("_dmarc."):
            texts = ["v=DMARC1; p=reject; sp=none", "v=DMARC1; p=none; psd=y", "v=DMARC1; np=x"]
            return texts[dice % len(texts)].encode()
        texts = [
            "v=spf1 mx include:a.%{d} ~all",
            "v=spf1 a ptr exists:%{ir}.%{l}.x.test -all",
            "v=spf1 redirect=_spf.%{o} exp=e.%{d}",
            "v=spf1 ip4:192.0.2.0/24 -all",
            "nothing of note",
        ]
        return texts[dice % len(texts)].encode()


def _same_again(raw: bytes, client: str | None, sender: str) -> Judged:
    envelope = Envelope(client, "client.unrelated.test", sender, OURS)
    first = authenticate_from(raw, envelope, Everything(), NOW)
    plain = json.dumps(to_plain(first.evidence))
    assert len(plain) <= MAX_EVIDENCE_BYTES
    again = authenticate(raw, envelope, from_plain(json.loads(plain)), NOW)
    assert again == first.verdict
    return first


def _messages() -> Iterator[bytes]:
    for path in sorted(corpora("dkim", "mail-dkim", "corpus").glob("*")):
        yield path.read_bytes()
    for folder in ("mime", "threading"):
        for path in sorted(corpora(folder).rglob("*")):
            if path.suffix in (".msg", ".eml", ".raw") or path.parent.name == "cur":
                yield path.read_bytes()
    for path in sorted(corpora("spam").glob("spamassassin-*.tar.gz")):
        yield from _members(path)


def _members(path: Path) -> Iterator[bytes]:
    with tarfile.open(path) as archive:
        for member in archive:
            held = archive.extractfile(member) if member.isfile() else None
            if held is not None:
                yield held.read()


def test_every_message_of_the_corpora_gets_the_same_verdict_from_its_evidence() -> None:
    senders: Sequence[str] = ("ann@example.com", "", "bob@mail.sub.example.org")
    count = 0
    for count, raw in enumerate(_messages(), 1):
        _same_again(raw, CLIENTS[count % 4], senders[count % 3])
    assert count > 6000


@pytest.mark.parametrize("client", CLIENTS)
def test_a_signed_message_gets_the_same_verdict(client: str | None) -> None:
    raw = signed(PLAIN, "example.com", "lists.test")
    assert _same_again(raw, client, "ann@example.com").evidence


def test_the_evidence_is_what_was_read_and_no_more() -> None:
    data = zone(
        {
            "_dmarc.example.com": "v=DMARC1; p=reject; psd=n",
            "example.com": "v=spf1 ip4:192.0.2.1 a:a.test mx:b.test -all",
            "unrelated.test": "v=spf1 -all",
        },
        keys_of("example.com"),
    )
    envelope = Envelope("192.0.2.1", "h.test", "ann@example.com", OURS)
    judged = authenticate_from(signed(PLAIN, "example.com"), envelope, data, NOW)
    assert {f"{q.rrtype} {q.name}" for q in judged.evidence} == {
        "TXT example.com",
        "TXT k1._domainkey.example.com",
        "TXT _dmarc.example.com",
        "PTR 1.2.0.192.in-addr.arpa",
    }


def test_answers_survive_serialisation_octet_for_octet() -> None:
    answers = {
        Question("a.test", "TXT"): Answer("noerror", (bytes(range(256)), b""), 5),
        Question("a.test", "MX"): Answer("noerror", ((10, "mx.a.test"), (0, "")), 5),
        Question("a.test", "A"): Answer("noerror", ("192.0.2.1",), 5),
        Question("b.test", "A"): Answer("servfail"),
    }
    assert from_plain(json.loads(json.dumps(to_plain(answers)))) == answers


def test_evidence_that_was_not_written_by_us_is_refused() -> None:
    row = {"name": "a", "type": "A", "status": "maybe", "records": [], "ttl": 0}
    with pytest.raises(ValueError, match="status"):
        from_plain([row])  # type: ignore[list-item]

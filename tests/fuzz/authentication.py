"""Fuzz targets for authentication: records, signatures, chains, results, whole messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from mail.authentication.arc import check_arc
from mail.authentication.author import read_author
from mail.authentication.canonicalization import canonical_body, relaxed_field
from mail.authentication.dkim import DkimPolicy, check_dkim
from mail.authentication.dmarc_record import find_record, parse_dmarc
from mail.authentication.dns import Answer, Missing, Question, from_plain, to_plain
from mail.authentication.domains import DomainError, to_ascii, to_unicode
from mail.authentication.evaluate import Envelope, authenticate
from mail.authentication.homographs import suspicions
from mail.authentication.key import KeyRecordError, parse_key
from mail.authentication.message import Message
from mail.authentication.reasons import Reason
from mail.authentication.resolution import authenticate_from
from mail.authentication.results_field import (
    ResultsError,
    parse_results,
)
from mail.authentication.signature import SignatureError, parse_signature
from mail.authentication.signing import generate_key
from mail.authentication.spf import check_spf
from mail.authentication.spf_macro import MacroError, parse_domain_spec, parse_explanation
from mail.authentication.taglist import TagListError, parse_tag_list
from mail.fields import split_header

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = "mx.receiver.test"
_POLICY = DkimPolicy()
_KEY = generate_key("example.com", "s", "ed25519").record().encode()


class _Everywhere(dict[Question, Answer]):
    """A DNS that gives the same octets as every TXT record, and some host for the rest."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self._text = text

    def __contains__(self, key: object) -> bool:
        return True

    def get(self, key: Question, default: Answer | None = None) -> Answer:  # type: ignore[override]
        return self[key]

    def __missing__(self, asked: Question) -> Answer:
        match asked.rrtype:
            case "TXT":
                return Answer("noerror", (self._text,), 60)
            case "MX":
                return Answer("noerror", ((10, "mx.test"), (20, "")), 60)
            case "PTR":
                return Answer("noerror", ("a.example.com", "x" * 64 + ".test"), 60)
            case "A":
                return Answer("noerror", ("192.0.2.1", "no address"), 60)
            case _:
                return Answer("nodata", (), 60)


def fuzz_spf(data: bytes) -> None:
    """A record, as policy of every domain and as explanation, gives a result and a sentence."""
    answers = _Everywhere(b"v=spf1 " + data)
    for client in ("192.0.2.9", "2001:db8::1"):
        outcome = check_spf(client, "h.test", "a.b@example.com", answers, receiver=OURS, now=NOW)
        assert outcome.reason is not Reason.INTERNAL
        assert outcome.words.isprintable()
        assert outcome.explanation.isascii()
        assert outcome.explanation.isprintable()
    text = data.decode("latin-1")
    for parse in (parse_domain_spec, parse_explanation):
        with suppress(MacroError):
            expanded = parse(text).name(lambda letter: letter * 40)
            assert len(expanded) <= 253 or "." not in expanded


def fuzz_dkim_tags(data: bytes) -> None:
    """Tag lists, key records and signatures are parsed or refused."""
    with suppress(TagListError):
        tags = parse_tag_list(data)
        for name, tag in tags.items():
            assert data[tag.start : tag.end].strip(b" \t\r\n") == tag.value
            assert ";" not in name
    with suppress(KeyRecordError):
        key = parse_key(data)
        assert not key.verifies(b"\0" * 64, b"\0" * 32, "sha256")
    raw = b"DKIM-Signature:" + data + b"\r\nFrom: a@example.com\r\n\r\nbody\r\n"
    message = Message(raw)
    for field in message.named(b"dkim-signature"):
        with suppress(SignatureError):
            signature = parse_signature(field)
            signature.signed_octets(message)
    for outcome in check_dkim(message, _Everywhere(_KEY), now=NOW, policy=_POLICY):
        assert outcome.result != "pass"
        assert outcome.words.isprintable()


def fuzz_dmarc(data: bytes) -> None:
    """A DMARC record is read or is none, and never makes what was not authenticated pass."""
    for text in (data, b"v=DMARC1;" + data):
        record = parse_dmarc(text)
        if record is not None:
            policies = {record.published(), record.for_subdomain(exists=False)}
            assert policies <= {"none", "quarantine", "reject"}
        assert find_record([text, text]) is None
        judged = authenticate_from(
            b"From: a@sub.example.com\r\n\r\n",
            Envelope(None, "", "", OURS),
            _Everywhere(text),
            NOW,
        )
        assert judged.verdict.dmarc.result != "pass"
        assert judged.verdict.dmarc.reason is not Reason.INTERNAL


def fuzz_arc(data: bytes) -> None:
    """Fields of a chain, whatever they hold, are validated or fail."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n\n")
    names = (b"ARC-Seal:", b"ARC-Message-Signature:", b"ARC-Authentication-Results:")
    header = b"".join(
        names[index % 3] + b" " + line.replace(b"\n", b"\r\n ") + b"\r\n"
        for index, line in enumerate(lines[:60])
    )
    message = Message(header + b"From: a@example.com\r\n\r\nbody\r\n")
    outcome = check_arc(message, _Everywhere(_KEY), policy=_POLICY)
    assert outcome.result != "pass"
    assert outcome.words.isprintable()


def fuzz_results(data: bytes) -> None:
    """Results of others are read or refused."""
    text = data.decode("utf-8", "replace")
    for payload in (text, f"mx.test; spf={text}", f"mx.test; {text}"):
        with suppress(ResultsError):
            found = parse_results(payload)
            assert found.authserv_id
            assert all(one.method and one.result for one in found.results)


def fuzz_authentication(data: bytes) -> None:
    """A message, whatever it holds, has a verdict; its evidence gives the same one again."""
    envelope = Envelope("192.0.2.1", "h.test", "a@example.com", OURS)
    for text in (_KEY, b"v=spf1 a mx ptr -all", b"v=DMARC1; p=reject; np=none"):
        judged = authenticate_from(data, envelope, _Everywhere(text), NOW)
        verdict = judged.verdict
        reasons = [verdict.spf.reason, verdict.arc.reason, verdict.dmarc.reason]
        reasons += [one.reason for one in verdict.dkim]
        assert Reason.INTERNAL not in reasons
        assert verdict.results_header.isascii()
        assert len(split_header(b"X: " + verdict.results_header.encode()).fields) == 1
        parse_results(verdict.results_header)
        evidence = from_plain(to_plain(judged.evidence))
        assert authenticate(data, envelope, evidence, NOW) == verdict
    with suppress(Missing):
        authenticate(data, envelope, {}, NOW)


def fuzz_author(data: bytes) -> None:
    """From is read without an exception, domains are names, and suspicions are sentences."""
    author = read_author(Message(b"From: " + data + b"\r\n\r\n"))
    for domain in (*author.domains, *author.guessable):
        assert to_ascii(domain) == domain
        to_unicode(domain)
    for one in suspicions(author, ("example.com",)):
        assert one.words.isprintable()
    with suppress(DomainError):
        assert to_ascii(to_ascii(data.decode("utf-8", "replace"))).isascii()


def fuzz_canonicalization(data: bytes) -> None:
    """Canonical forms equal those of the standard's own words, carried out step by step."""
    relaxed = re.sub(rb"[ \t]+(?=\r\n)", b"", data)
    relaxed = re.sub(rb"[ \t]+", b" ", relaxed)
    while relaxed.endswith(b"\r\n\r\n"):
        relaxed = relaxed[:-2]
    if relaxed == b"\r\n":
        relaxed = b""
    if relaxed and not relaxed.endswith(b"\r\n"):
        relaxed += b"\r\n"
    assert canonical_body(data, "relaxed") == relaxed
    simple = data
    while simple.endswith(b"\r\n\r\n"):
        simple = simple[:-2]
    if not simple.endswith(b"\r\n"):
        simple += b"\r\n"
    assert canonical_body(data, "simple") == simple
    unfolded = re.sub(rb"[ \t]+", b" ", data.replace(b"\r\n", b"")).strip(b" ")
    assert relaxed_field(b"X-Y", data) == b"x-y:" + unfolded + b"\r\n"


def _spf_seeds() -> list[bytes]:
    return [
        b"ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx:b.test/24//64 ptr include:c.test -all",
        b"exists:%{ir}.%{v}._spf.%{d2} redirect=_spf.%{o} exp=why.%{l1r-}.test",
        b"?all ~a:%{s}%%%_%-.test unknown=%{H}",
    ]


def _tag_seeds() -> list[bytes]:
    return [
        _KEY,
        b"v=DKIM1; k=rsa; h=sha256:sha1; s=email:*; t=y:s; n=note; p=MFwwDQYJKoZIhvcNAQEB",
        b" v=1; a=ed25519-sha256; c=relaxed/simple; d=example.com; s=s; t=1; x=2; l=3;\r\n"
        b" i=j=C3=BCrgen@sub.example.com; q=dns/txt; h=from:to:from; z=From:a=40b|To:c;\r\n"
        b" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA BBBB",
    ]


def _dmarc_seeds() -> list[bytes]:
    return [
        b" p=reject; sp=quarantine; np=none; adkim=s; aspf=r; psd=n; t=y; fo=0:d:s;",
        b"p=none; rua=mailto:a@example.com!10m,https://x.test/; ruf=mailto:b@example.com; pct=5",
    ]


def _arc_seeds() -> list[bytes]:
    seal = b"i=1; a=rsa-sha256; t=1; cv=none; d=example.com; s=s; b=AAAA"
    signature = (
        b"i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s; t=1; h=from:to; bh=AAAA; b=AAAA"
    )
    results = b"i=1; lists.test; spf=pass smtp.mailfrom=a@b.test; dmarc=pass header.from=b.test"
    one = b"\n\n".join((seal, signature, results))
    two = one.replace(b"i=1", b"i=2").replace(b"cv=none", b"cv=pass")
    return [one, one + b"\n\n" + two]


def _results_seeds() -> list[bytes]:
    return [
        b"mx.receiver.test 1; spf=pass smtp.mailfrom=a.test; dkim=fail (bad) header.d=b.test",
        b"Authentication-Results: (c) mx.receiver.test; none\r\nFrom: a@b.test\r\n\r\nbody",
        b'foo (x (y)) 1; dkim / 1 = fail policy . expired = 13; a=b reason="c; \\"d\\"" h.i=@x',
    ]


def _author_seeds() -> list[bytes]:
    return [
        "Ann <ann@example.com>, jürgen@bücher.test, a@пример.test".encode(),
        b'"x@y.test" <a@[192.0.2.1]>, G: =?utf-8?q?a=40b=2Etest?= <c@xn--bcher-kva.test>;',
        b"a@exarnple.com (b@c.test), <@r.test:d@e.test>, \xff@\xfe.test",
    ]


def _message_seeds() -> list[bytes]:
    signature = b"DKIM-Signature:" + _tag_seeds()[2] + b"\r\n"
    arc = b"".join(
        name + line + b"\r\n"
        for name, line in zip(
            (b"ARC-Seal: ", b"ARC-Message-Signature: ", b"ARC-Authentication-Results: "),
            _arc_seeds()[0].split(b"\n\n"),
            strict=True,
        )
    )
    rest = b"From: Ann <ann@example.com>\r\nSubject: x\r\nTo: b@c.test\r\n\r\nbody\r\n"
    return [arc + signature + rest, signature * 3 + rest, b"From: a@b\nFrom: c@d.test\n\nx\n"]


def _body_seeds() -> list[bytes]:
    return [b"one \t two  \r\n\r\n\r\n", b" \r\n \r\n", b"a\r\r\n\n\r\n b", b"\r\n" * 70]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "spf": (fuzz_spf, _spf_seeds),
    "dkim_tags": (fuzz_dkim_tags, _tag_seeds),
    "dmarc": (fuzz_dmarc, _dmarc_seeds),
    "arc": (fuzz_arc, _arc_seeds),
    "results": (fuzz_results, _results_seeds),
    "author": (fuzz_author, _author_seeds),
    "canonicalization": (fuzz_canonicalization, _body_seeds),
    "authentication": (fuzz_authentication, _message_seeds),
}

"""Signing, key records, and the other implementation as the judge of both."""

from __future__ import annotations

from datetime import timedelta

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import seal
from mail.authentication.dkim import DkimPolicy, check_dkim
from mail.authentication.message import Message
from mail.authentication.signing import (
    SigningError,
    generate_key,
    load_key,
    next_selector,
    sign,
)
from mail.fields import split_header
from tests.authentication.kit import NOW, PLAIN, SELECTOR, judge, key_for, keys_of, signed, zone


def _lookup(name: bytes, timeout: int = 5) -> bytes:
    return key_for("example.com").record().encode()


_words = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
_lines = st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"")))


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    subject = draw(_words).strip()
    body = b"\r\n".join(draw(_lines))
    end = draw(st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b" \r\n \r\n"]))
    return f"From: ann@example.com\r\nSubject: {subject}\r\n\r\n".encode() + body + end


@settings(max_examples=60, deadline=None)
@given(raw=_messages())
def test_another_implementation_verifies_what_is_signed_here(raw: bytes) -> None:
    assert dkim.verify(signed(raw, "example.com"), dnsfunc=_lookup)


@settings(max_examples=60, deadline=None)
@given(
    raw=_messages(),
    header=st.sampled_from([b"simple", b"relaxed"]),
    body=st.sampled_from([b"simple", b"relaxed"]),
    length=st.booleans(),
)
def test_what_another_implementation_signs_verifies_here(
    raw: bytes, header: bytes, body: bytes, length: bool
) -> None:
    pem = key_for("example.com").to_pem()
    field = dkim.sign(
        raw, SELECTOR.encode(), b"example.com", pem, canonicalize=(header, body), length=length
    )
    outcomes = check_dkim(
        Message(field + raw), zone(keys_of("example.com")), now=NOW, policy=DkimPolicy()
    )
    assert [o.result for o in outcomes] == ["pass"], outcomes[0].words


def test_a_message_signed_twice_passes_twice() -> None:
    keys = [key_for("example.com", "rsa"), key_for("example.com", "ed25519")]
    second = type(keys[1])("example.com", "k2", keys[1].private)
    raw = sign(PLAIN, [keys[0], second], NOW) + PLAIN
    data = {
        **keys_of("example.com"),
        "k2._domainkey.example.com": [{"TXT": second.record()}],
        "_dmarc.example.com": [{"TXT": "v=DMARC1; p=reject"}],
    }
    verdict = judge(raw, zone(data)).verdict
    assert [(o.result, o.algorithm) for o in verdict.dkim] == [
        ("pass", "rsa-sha256"),
        ("pass", "ed25519-sha256"),
    ]
    assert verdict.dmarc.result == "pass"


@pytest.mark.parametrize("name", [b"From", b"Subject", b"To", b"Date", b"Message-ID"])
def test_what_is_oversigned_cannot_be_added(name: bytes) -> None:
    raw = name + b": x@y.test\r\n" + signed(PLAIN, "example.com")
    outcomes = check_dkim(Message(raw), zone(keys_of("example.com")), now=NOW, policy=DkimPolicy())
    assert outcomes[0].result == "fail"


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN + b"bare\rCR",
        b"Subject: x\r\n\r\n",
        b"From: a@b\r\n" * 2,
    ],
)
def test_what_would_not_arrive_as_it_is_is_not_signed(raw: bytes) -> None:
    with pytest.raises(SigningError):
        sign(raw, [key_for("example.com")], NOW)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_is_kept_and_published(kind: str) -> None:
    key = generate_key("Example.COM", "s1", "rsa" if kind == "rsa" else "ed25519")
    assert load_key("example.com", "s1", key.to_pem()).record() == key.record()
    line = key.zone_line()
    assert line.startswith('s1._domainkey.example.com. 3600 IN TXT ( "v=DKIM1; ')
    strings = line.split('"')[1::2]
    assert "".join(strings) == key.record()
    assert max(map(len, strings)) <= 255


@pytest.mark.parametrize(
    ("domain", "selector"), [("com", "s"), ("a b.test", "s"), ("a.test", "s p"), ("a.test", "")]
)
def test_a_key_without_a_proper_name_is_not_made(domain: str, selector: str) -> None:
    with pytest.raises(SigningError):
        generate_key(domain, selector, "ed25519")


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_not_loaded(pem: bytes) -> None:
    with pytest.raises(SigningError):
        load_key("a.test", "s", pem)


def test_a_rotated_key_gets_a_selector_of_its_own() -> None:
    first = next_selector("rsa", NOW)
    second = next_selector("rsa", NOW, [first])
    third = next_selector("rsa", NOW + timedelta(days=1), [first, second])
    assert len({first, second, third, next_selector("ed25519", NOW)}) == 4


def test_lines_of_a_signature_are_short() -> None:
    lines = signed(PLAIN, "example.com").partition(b"From:")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 78 + len(b"DKIM-Signature: ")


def _sealed(raw: bytes, domain: str, results: str) -> bytes:
    answers = zone(keys_of("lists.test", "relay.test", "example.com"))
    chain = check_arc(Message(raw), answers, policy=DkimPolicy())
    return seal(raw, f"{domain}; {results}", chain, key_for(domain), NOW) + raw


def test_a_message_sealed_by_several_is_a_valid_chain() -> None:
    raw = signed(PLAIN, "example.com")
    raw = _sealed(raw, "lists.test", "dmarc=pass header.from=example.com")
    changed = raw.replace(b"Subject: hello", b"Subject: [list] hello")
    raw = _sealed(raw, "relay.test", "arc=pass")
    answers = zone(keys_of("lists.test", "relay.test"))
    outcome = check_arc(Message(raw), answers, policy=DkimPolicy())
    assert (outcome.result, outcome.sealers) == ("pass", ("lists.test", "relay.test"))
    assert check_arc(Message(changed), answers, policy=DkimPolicy()).result == "fail"


@pytest.mark.parametrize("name", [b"arc-authentication-results", b"arc-message-signature"])
def test_a_field_of_the_chain_that_is_changed_breaks_it(name: bytes) -> None:
    raw = _sealed(PLAIN, "lists.test", "dmarc=fail header.from=example.com")
    field = split_header(raw).all(name)[0]
    raw = raw.replace(
        field.raw, field.raw.replace(b"dmarc=fail", b"dmarc=pass").replace(b"t=1", b"t=2")
    )
    outcome = check_arc(Message(raw), zone(keys_of("lists.test")), policy=DkimPolicy())
    assert outcome.result == "fail"


def test_another_implementation_accepts_the_chain() -> None:
    raw = _sealed(PLAIN, "lists.test", "dmarc=pass")
    raw = _sealed(raw, "relay.test", "arc=pass")
    assert dkim.arc_verify(raw, dnsfunc=_lookup)[0] == b"pass"


def test_a_broken_chain_is_sealed_as_broken_once() -> None:
    raw = _sealed(PLAIN, "lists.test", "dmarc=pass").replace(b"One line", b"Two lines")
    broken = _sealed(raw, "relay.test", "arc=fail")
    assert b"cv=fail" in broken.partition(b"From:")[0]
    assert _sealed(broken, "lists.test", "arc=fail") == broken

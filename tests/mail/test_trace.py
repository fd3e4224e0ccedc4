"""Trace fields are well-formed whatever a client said, and forged ones are taken out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.fields import split_header
from mail.trace import (
    AuthResult,
    Tls,
    as_shown,
    authentication_results,
    authserv_id_of,
    count_received,
    received,
    return_path,
    with_protocol,
)

MOMENT = datetime(2020, 7, 1, 5, 3, 41, tzinfo=UTC)


def _received(helo: str = "mail.example.net", *recipients: str, name: str = "") -> bytes:
    return received(
        helo=helo,
        client_address="192.0.2.1",
        client_name=name,
        by="mx.example.org",
        protocol="ESMTPS",
        mail_id="0197-ab",
        recipients=recipients,
        moment=MOMENT,
        tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    )


def test_received_tells_who_how_and_when() -> None:
    assert _received("mail.example.net", "b@example.org", name="out.example.net") == (
        b"Received: from mail.example.net (out.example.net [192.0.2.1])\r\n"
        b"\tby mx.example.org with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id 0197-ab\r\n"
        b"\tfor <b@example.org>; Wed, 01 Jul 2020 05:03:41 +0000\r\n"
    )


@pytest.mark.parametrize("recipients", [(), ("a@example.org", "b@example.org")])
def test_recipients_are_named_only_when_there_is_one(recipients: tuple[str, ...]) -> None:
    assert b"for <" not in _received("mail.example.net", *recipients)


@pytest.mark.parametrize(
    ("flags", "keyword"),
    [
        ({"extended": False}, "SMTP"),
        ({}, "ESMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"authenticated": True}, "ESMTPA"),
        ({"tls": True, "authenticated": True}, "ESMTPSA"),
        ({"utf8": True}, "UTF8SMTP"),
        ({"utf8": True, "tls": True, "authenticated": True}, "UTF8SMTPSA"),
        ({"lmtp": True}, "LMTP"),
        ({"lmtp": True, "utf8": True, "tls": True}, "UTF8LMTPS"),
    ],
)
def test_protocols_have_their_registered_names(flags: dict[str, bool], keyword: str) -> None:
    assert with_protocol(**flags) == keyword


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("", b"Return-Path: <>\r\n"),
        ("a@example.org", b"Return-Path: <a@example.org>\r\n"),
        ('"a b"@example.org', b'Return-Path: <"a b"@example.org>\r\n'),
        ("jörg@example.org", "Return-Path: <jörg@example.org>\r\n".encode()),
        ("a@example.org>\r\nEvil: 1", b"Return-Path: <>\r\n"),
    ],
)
def test_return_path_holds_an_address_or_nothing(path: str, field: bytes) -> None:
    assert return_path(path) == field


def test_an_ipv6_client_is_an_ipv6_literal() -> None:
    field = received(
        helo="[IPv6:2001:db8::1]",
        client_address="2001:db8::1",
        by="mx.example.org",
        protocol="ESMTP",
        mail_id="x",
        recipients=(),
        moment=MOMENT,
    )
    assert field.startswith(b"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])")


def test_authentication_results_are_composed() -> None:
    results = [
        AuthResult("spf", "pass", (("smtp.mailfrom", "a@example.org"),)),
        AuthResult("dkim", "fail", (("header.d", "example.org"),), 'bad "signature"'),
        AuthResult("dmarc", "none"),
    ]
    assert authentication_results("mx.example.org", results) == (
        b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=a@example.org;\r\n"
        b'\tdkim=fail reason="bad \\"signature\\"" header.d=example.org; dmarc=none\r\n'
    )
    assert authentication_results("mx.example.org", []) == (
        b"Authentication-Results: mx.example.org; none\r\n"
    )


_HOSTILE = st.text(st.sampled_from('\r\n\t ()<>"\\;:=@a.é\x00\u2028\ud800'), max_size=30) | st.text(
    max_size=30
)


@given(_HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE)
def test_nothing_that_a_client_says_makes_another_field(a: str, b: str, c: str, d: str) -> None:
    composed = [
        return_path(a),
        received(
            helo=a,
            client_address=b,
            client_name=c,
            by=d,
            protocol=b,
            mail_id=c,
            recipients=(d,),
            moment=MOMENT,
            tls=Tls(a, b),
        ),
        authentication_results(a, [AuthResult(b, c, ((d, a), ("x.y", b)), c)]),
    ]
    for field in composed:
        header = split_header(field + b"\r\n")
        assert len(header.fields) == 1
        assert header.fields[0].raw == field
        assert field.count(b"\n") == field.count(b"\r\n") == field.count(b"\r")
        assert b"\x00" not in field


TRACE = b"Return-Path: <>\r\nReceived: x\r\n"


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: mx.example.org; spf=pass\r\n",
        b"AUTHENTICATION-RESULTS :MX.Example.Org 1; spf=pass\r\n",
        b"Authentication-Results:\r\n\t(a (b) comment)mx.example.org;\r\n spf=pass\r\n",
        b'Authentication-Results: "mx.example.org"; spf=pass\r\n',
        b'Authentication-Results: "mx\\.example.org"; spf=pass\r\n',
        b"Authentication-Results: mx.example.org.; spf=pass\r\n",
    ],
)
def test_forged_results_with_our_name_are_taken_out(forged: bytes) -> None:
    raw = b"From: a\r\n" + forged + b"To: b\r\n\r\n" + forged
    assert as_shown(raw, TRACE, "mx.example.org") == (TRACE + b"From: a\r\nTo: b\r\n\r\n" + forged)


def test_a_forged_result_is_taken_out_behind_any_number_of_fields() -> None:
    forged = b"Authentication-Results: mx.example.org; spf=pass\r\n"
    raw = b"a: b\r\n" * 20_000 + forged + b"\r\n"
    assert forged not in as_shown(raw, TRACE, "mx.example.org")


@pytest.mark.parametrize(
    "kept",
    [
        b"Authentication-Results: mx.example.net; spf=pass\r\n",
        b"Authentication-Results: other.mx.example.org; spf=pass\r\n",
        b"ARC-Authentication-Results: i=1; mx.example.org; spf=pass\r\n",
        b"Authentication-Results:\r\n",
    ],
)
def test_results_of_others_stay(kept: bytes) -> None:
    raw = b"From: a\r\n" + kept + b"\r\nbody"
    assert as_shown(raw, TRACE, "mx.example.org") == TRACE + raw


def test_a_leading_continuation_line_does_not_join_our_field() -> None:
    shown = as_shown(b" ; dkim=pass\r\nFrom: a\r\n\r\n", TRACE, "mx.example.org")
    assert split_header(shown).first(b"received") == b" x"


@pytest.mark.parametrize("raw", [b"Hello there\r\n", b"Hello\r\n\r\nthere\r\n", b"\r\nx", b""])
def test_a_message_without_header_stays_all_body(raw: bytes) -> None:
    shown = as_shown(raw, TRACE, "mx.example.org")
    assert shown[split_header(shown).body :] == raw.removeprefix(b"\r\n")


def test_internationalised_names_are_compared_as_a_labels() -> None:
    assert authserv_id_of(" bücher.example; none".encode()) == "xn--bcher-kva.example"


def test_received_fields_are_counted() -> None:
    raw = b"Received: a\r\nreceived : b\r\nX-Received: c\r\n\r\nReceived: d\r\n"
    assert count_received(raw) == 2

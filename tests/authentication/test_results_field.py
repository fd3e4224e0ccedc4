"""Authentication-Results: ours, and those of others."""

from __future__ import annotations

import pytest

from mail.authentication.results_field import (
    AuthResults,
    MethodResult,
    ResultsError,
    parse_results,
)
from mail.trace import as_shown
from tests.authentication.kit import OURS, PLAIN, judge, keys_of, signed, spf_for, zone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org 1; none", AuthResults("example.org")),
        (
            "example.com; spf=pass smtp.mailfrom=example.net",
            AuthResults(
                "example.com",
                results=(MethodResult("spf", "pass", "", (("smtp.mailfrom", "example.net"),)),),
            ),
        ),
        (
            'example.com; dkim=pass reason="good; signature" header.i=@a.test (x (y) "z")',
            AuthResults(
                "example.com",
                results=(
                    MethodResult("dkim", "pass", "good; signature", (("header.i", "@a.test"),)),
                ),
            ),
        ),
        (
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) ="
            " (wait for it) fail policy (A dot can go here) . (like that) expired"
            " (this surprised me) = (as I wasn't expecting it) 1362471462",
            AuthResults(
                "foo.example.net",
                results=(MethodResult("dkim", "fail", "", (("policy.expired", "1362471462"),)),),
            ),
        ),
        (
            "a.test; spf=fail smtp.mailfrom=SRS0=x=y@b.test header.b=ab/cd=",
            AuthResults(
                "a.test",
                results=(
                    MethodResult(
                        "spf",
                        "fail",
                        "",
                        (("smtp.mailfrom", "SRS0=x=y@b.test"), ("header.b", "ab/cd=")),
                    ),
                ),
            ),
        ),
    ],
)
def test_a_payload_is_read(text: str, expected: AuthResults) -> None:
    assert parse_results(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "a.test x; none",
        "a.test; spf",
        'a.test; spf="',
        "a.test (",
        "a.test )",
        "a 1 2; x",
        'a.test; spf=""',
        'a.test; ""=pass',
        '""; none',
        "a; s_f=x",
    ],
)
def test_a_payload_that_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ResultsError):
        parse_results(text)


def _shown(raw: bytes, own: str = OURS) -> bytes:
    """The message as it is delivered, without the fields that we put on top."""
    return as_shown(raw, b"", own)


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.receiver.test; dmarc=pass",
        b"authentication-results:MX.Receiver.Test; dmarc=pass",
        b"Authentication-Results: mx.receiver.test. 1; dmarc=pass",
        b"Authentication-Results:\r\n (comment) mx.receiver.test (x);\r\n dmarc=pass",
        b'Authentication-Results: "mx.receiver.test"; dmarc=pass',
        b"Authentication-Results : mx.receiver.test; dmarc=pass",
        b"Authentication-Results: mx.receiver.test 99; dmarc=pass",
        b"Authentication-Results: mx.receiver.test; this is (malformed",
        b"Authentication-Results: mx.receiver.test",
    ],
)
def test_a_field_that_claims_our_name_is_removed(field: bytes) -> None:
    assert _shown(field + b"\r\n" + PLAIN) == PLAIN


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.other.test; dmarc=pass",
        b"Authentication-Results: (mx.receiver.test) mx.other.test; dmarc=pass",
        b"X-Authentication-Results: mx.receiver.test; dmarc=pass",
        b"ARC-Authentication-Results: i=1; mx.receiver.test; dmarc=pass",
    ],
)
def test_a_field_of_others_stays(field: bytes) -> None:
    raw = field + b"\r\n" + PLAIN
    assert _shown(raw) == raw


def test_nothing_but_the_forged_field_is_changed() -> None:
    forged = b"Authentication-Results: mx.receiver.test;\r\n\tspf=pass\r\n"
    raw = b"A: 1\r\n" + forged + b"garbage\r\nB : 2\r\n" + forged + PLAIN + b"\r\n" + forged
    expected = b"A: 1\r\ngarbage\r\nB : 2\r\n" + PLAIN + b"\r\n" + forged
    assert _shown(raw) == expected


def test_our_name_in_unicode_is_our_name() -> None:
    raw = "Authentication-Results: mx.bücher.test; spf=pass\r\n".encode() + PLAIN
    assert _shown(raw, "mx.xn--bcher-kva.test") == PLAIN


def test_our_own_field_says_what_was_found_and_can_be_read() -> None:
    data = {
        "_dmarc.example.com": "v=DMARC1; p=reject",
        "1.2.0.192.in-addr.arpa": [{"PTR": "client.test"}],
        "client.test": [{"A": "192.0.2.1"}],
    }
    answers = zone(data, keys_of("example.com"), spf_for(["bounce.test"]))
    verdict = judge(signed(PLAIN, "example.com"), answers, mail_from="x@bounce.test").verdict
    found = parse_results(verdict.results_header)
    assert found.authserv_id == OURS
    results = {one.method: (one.result, dict(one.properties)) for one in found.results}
    assert results["spf"] == ("pass", {"smtp.mailfrom": "bounce.test"})
    assert results["iprev"] == ("pass", {"policy.iprev": "192.0.2.1"})
    assert results["dkim"][0] == "pass"
    assert results["dkim"][1]["header.d"] == "example.com"
    assert results["arc"][0] == "none"
    assert results["dmarc"] == ("pass", {"header.from": "example.com", "policy.dmarc": "none"})


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1", None])
def test_our_own_field_is_lines_of_ascii(client: str | None) -> None:
    raw = PLAIN.replace(b"example.com", "exämple.com".encode())
    verdict = judge(raw, zone({}), client=client, mail_from='"a;b\r\n"@x.test').verdict
    header = verdict.results_header
    assert header.isascii()
    assert all(line.startswith(" ") for line in header.split("\r\n")[1:])
    assert max(map(len, header.split("\r\n"))) <= 78
    assert parse_results(header).authserv_id == OURS


def test_what_a_signer_writes_cannot_add_a_result() -> None:
    hostile = b"DKIM-Signature: v=1; a=x; d=a.test)\r\n spf=pass smtp.mailfrom=bank.test; s=x(\r\n"
    found = parse_results(judge(hostile + PLAIN, zone({})).verdict.results_header)
    assert [one.method for one in found.results].count("spf") == 1
    assert found.result_of("spf") == "none"

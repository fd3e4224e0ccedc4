"""SPF beyond the suites: what they leave out, and reasons an administrator can use."""

from __future__ import annotations

from typing import Any

import pytest

from mail.authentication.dns import Answer, Missing, Question
from mail.authentication.reasons import Reason
from mail.authentication.spf import SpfOutcome, check_spf, spf_identity
from tests.authentication.kit import NOW, zone


def _check(
    data: dict[str, Any],
    *,
    ip: str = "192.0.2.1",
    sender: str = "ann@example.com",
    helo: str = "mail.example.com",
) -> SpfOutcome:
    return check_spf(ip, helo, sender, zone(data), receiver="mx.receiver.test", now=NOW)


@pytest.mark.parametrize(
    ("mail_from", "helo", "domain", "identity"),
    [
        ("ann@example.com", "h.test", "example.com", "mailfrom"),
        ("", "h.test", "h.test", "helo"),
        ("<>", "H.Test.", "h.test", "helo"),
        ("@example.com", "h.test", "example.com", "mailfrom"),
        ('"a@b"@Example.COM', "h.test", "example.com", "mailfrom"),
        ("ann@bücher.test", "h.test", "xn--bcher-kva.test", "mailfrom"),
        ("example.com", "h.test", "example.com", "mailfrom"),
    ],
)
def test_whom_to_check(mail_from: str, helo: str, domain: str, identity: str) -> None:
    found = spf_identity(mail_from, helo)
    assert (found.domain, found.identity) == (domain, identity)


@pytest.mark.parametrize(
    ("record", "term"),
    [
        ("v=spf1 ip4:192.0.2.0/33 -all", "ip4:192.0.2.0/33"),
        ("v=spf1 ip4:192.0.2.01 -all", "ip4:192.0.2.01"),
        ("v=spf1 ip4:192.0.2.1. -all", "ip4:192.0.2.1."),
        ("v=spf1 ip6:fe80::1%eth0 -all", "ip6:fe80::1%eth0"),
        ("v=spf1 ipv4:192.0.2.1 -all", "ipv4:192.0.2.1"),
        ("v=spf1 a,mx -all", "a,mx"),
        ("v=spf1 include -all", "include"),
        ("v=spf1 all:x", "all:x"),
        ("v=spf1 redirect=a.test redirect=b.test", "redirect=b.test"),
        ("v=spf1 exists:%{z}.test -all", "exists:%{z}.test"),
        ("v=spf1 a:%{d0}.test -all", "a:%{d0}.test"),
    ],
)
def test_a_syntax_error_names_its_term(record: str, term: str) -> None:
    outcome = _check({"example.com": record})
    assert outcome.result == "permerror"
    assert outcome.reason is Reason.SPF_SYNTAX
    assert f" {term}: " in outcome.words


def test_a_syntax_error_behind_a_match_counts() -> None:
    assert _check({"example.com": "v=spf1 +all foo"}).result == "permerror"


def test_no_client_is_none() -> None:
    outcome = check_spf(None, "h", "a@b.test", {}, receiver="r", now=NOW)
    assert (outcome.result, outcome.reason) == ("none", Reason.NO_CLIENT_ADDRESS)


def test_an_ipv4_mapped_client_is_an_ipv4_client() -> None:
    assert _check({"example.com": "v=spf1 ip4:192.0.2.1 -all"}, ip="::ffff:192.0.2.1").result == (
        "pass"
    )


def test_exists_asks_for_an_ipv4_address_even_for_an_ipv6_client() -> None:
    data = {"example.com": "v=spf1 exists:e.test -all", "e.test": [{"A": "127.0.0.2"}]}
    assert _check(data, ip="2001:db8::1").result == "pass"


def test_a_redirect_is_counted_only_when_nothing_matched() -> None:
    lookups = " ".join(f"a:h{n}.test" for n in range(10))
    data = {"example.com": f"v=spf1 {lookups} redirect=r.test", "r.test": "v=spf1 -all"}
    hosts = {f"h{n}.test": [{"A": "203.0.113.9"}] for n in range(10)}
    assert _check({**data, **hosts}).reason is Reason.SPF_TOO_MANY_LOOKUPS
    hosts["h9.test"] = [{"A": "192.0.2.1"}]
    assert _check({**data, **hosts}).result == "pass"


def test_the_explanation_of_a_fail_is_the_owners() -> None:
    data = {
        "example.com": "v=spf1 -all exp=why.example.com",
        "why.example.com": "%{i} may not send for %{o}, says %{r} to %{h}",
    }
    outcome = _check(data)
    assert outcome.explanation == (
        "192.0.2.1 may not send for example.com, says mx.receiver.test to mail.example.com"
    )


def test_an_explanation_with_control_characters_is_dropped() -> None:
    data = {"example.com": "v=spf1 -all exp=why.test", "why.test": [{"TXT": "a\r\nb"}]}
    assert _check(data).explanation == ""


def test_the_explanation_is_not_asked_for_unless_it_fails() -> None:
    data = {Question("example.com", "TXT"): Answer("noerror", (b"v=spf1 +all exp=why.test",), 9)}
    outcome = check_spf("192.0.2.1", "h", "a@example.com", data, receiver="r", now=NOW)
    assert outcome.result == "pass"


def test_a_miss_names_what_the_whole_record_will_need() -> None:
    record = b"v=spf1 a mx:m.test include:i.test exists:%{l}.e.test ip4:192.0.2.1 a:later.test -all"
    data = {Question("example.com", "TXT"): Answer("noerror", (record,), 9)}
    with pytest.raises(Missing) as missing:
        check_spf("192.0.2.1", "h", "ann@example.com", data, receiver="r", now=NOW)
    assert set(missing.value.questions) == {
        Question("example.com", "A"),
        Question("m.test", "MX"),
        Question("i.test", "TXT"),
    }


def test_the_order_of_pointers_does_not_change_the_verdict() -> None:
    hosts = {f"h{n:02}.example.com": [{"A": "192.0.2.1"}] for n in range(20)}
    names = [{"PTR": name} for name in hosts]
    data: dict[str, Any] = {"example.com": "v=spf1 ptr -all", **hosts}
    forward = _check({**data, "1.2.0.192.in-addr.arpa": names})
    backward = _check({**data, "1.2.0.192.in-addr.arpa": names[::-1]})
    assert forward == backward
    assert forward.result == "pass"


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("%{s}", "ann@example.com"),
        ("%{l1r-}.%{d2}", "ann.example.com"),
        ("%{ir}.%{v}.x.test", "1.2.0.192.in-addr.x.test"),
        ("%{dr}.x.test", "com.example.x.test"),
        ("%{d1}.x.test", "com.x.test"),
        ("%{h}.x.test", "mail.example.com.x.test"),
        ("%{S}.x.test", "ann%40example.com.x.test"),
        ("%{p}.x.test", "unknown.x.test"),
        ("a%%b%_c%-d.x.test", "a%b c%20d.x.test"),
    ],
)
def test_macros_expand_as_section_7_says(spec: str, name: str) -> None:
    data = {"example.com": f"v=spf1 exists:{spec} -all", name: [{"A": "127.0.0.2"}]}
    assert _check(data).result == "pass"


def test_an_expansion_that_is_too_long_loses_labels_on_the_left() -> None:
    local = ".".join(["a" * 60] * 5)
    wanted = ".".join([*["a" * 60] * 4, "x.test"])
    assert len(wanted) <= 253
    data = {"example.com": "v=spf1 exists:%{l}.x.test -all", wanted: [{"A": "127.0.0.2"}]}
    assert _check(data, sender=f"{local}@example.com").result == "pass"


def test_a_macro_that_finds_no_name_is_no_void_lookup() -> None:
    terms = " ".join(f"exists:%{{p}}.e{n}.test" for n in range(2))
    data = {"example.com": f"v=spf1 {terms} -all exp=why.test", "why.test": "%{p} is unknown"}
    outcome = _check(data)
    assert outcome.result == "fail"
    assert outcome.explanation == "unknown is unknown"


@pytest.mark.parametrize("helo", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "a b.test", ""])
def test_what_is_no_domain_is_not_asked_for(helo: str) -> None:
    outcome = check_spf("192.0.2.1", helo, "", {}, receiver="r", now=NOW)
    assert (outcome.result, outcome.reason) == ("none", Reason.SPF_NO_DOMAIN)

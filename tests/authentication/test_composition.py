"""Messages composed so that one thing is judged and another displayed.

For each: what is displayed is what was judged, or the verdict is no pass.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from mail.authentication.canonicalization import canonical_body
from mail.authentication.message import Message
from mail.authentication.reasons import Reason
from mail.authentication.resolution import Judged
from mail.authentication.signing import signed_field, signed_names
from mail.message import digest
from tests.authentication.kit import PLAIN, judge, key_for, keys_of, signed, zone

POLICIES = {
    "_dmarc.example.com": "v=DMARC1; p=reject",
    "_dmarc.bank.test": "v=DMARC1; p=reject",
    "_dmarc.evil.test": "v=DMARC1; p=none",
}
ZONE = zone(POLICIES, keys_of("example.com", "evil.test", "bank.test"))


def _signed_as(
    raw: bytes,
    domain: str = "example.com",
    names: tuple[bytes, ...] | None = None,
    length: int | None = None,
    method: str = "relaxed/relaxed",
) -> bytes:
    """A signature that a careless or hostile signer makes: any h=, any l=."""
    message = Message(raw)
    names = names or signed_names(message)
    body = canonical_body(message.body, "relaxed")[: length if length is not None else None]
    tags = [
        ("v", "1"),
        ("a", "rsa-sha256"),
        ("b", ""),
        ("bh", base64.b64encode(hashlib.sha256(body).digest()).decode()),
        ("c", method),
        ("d", domain),
        ("h", ":".join(name.decode() for name in names)),
        ("s", key_for(domain).selector),
        *([("l", str(length))] if length is not None else []),
    ]
    selected = message.signed_fields(names, "relaxed", None)
    return signed_field(b"DKIM-Signature", tags, selected, key_for(domain)) + raw


def _displayed(raw: bytes) -> list[str]:
    """The addresses that our own reader shows as authors."""
    return [mailbox.address for mailbox in digest(raw).from_]


def _with(raw: bytes, line: bytes) -> bytes:
    """`raw` with a line of header put in front of all others."""
    return line + b"\r\n" + raw


def _dkim(judged: Judged) -> tuple[str, Reason]:
    first = judged.verdict.dkim[0]
    return first.result, first.reason


def test_the_message_itself_passes() -> None:
    judged = judge(signed(PLAIN, "example.com"), ZONE)
    assert judged.verdict.dmarc.result == "pass"
    assert judged.verdict.header_from == "example.com"


def test_a_second_from_above_the_signed_one_breaks_an_oversigned_signature() -> None:
    judged = judge(_with(signed(PLAIN, "example.com"), b"From: ceo@bank.test"), ZONE)
    assert _dkim(judged)[0] == "fail"
    assert judged.verdict.dmarc.result == "permerror"
    assert judged.verdict.dmarc.disposition == "reject"
    assert judged.verdict.header_from == ""


def test_a_second_from_beside_a_once_signed_one_is_no_pass() -> None:
    raw = _signed_as(PLAIN, names=(b"from", b"subject", b"to", b"date"))
    judged = judge(_with(raw, b"From: ceo@bank.test"), ZONE)
    assert _dkim(judged) == ("policy", Reason.DKIM_HEADER_REPEATED)
    assert judged.verdict.dmarc.result == "permerror"
    assert judged.verdict.dmarc.disposition == "reject"


def test_a_from_below_the_signed_one_breaks_the_signature() -> None:
    raw = _signed_as(PLAIN, names=(b"from", b"subject"))
    head, _, body = raw.partition(b"\r\n\r\n")
    judged = judge(head + b"\r\nFrom: ceo@bank.test\r\n\r\n" + body, ZONE)
    assert _dkim(judged)[0] == "fail"
    assert judged.verdict.dmarc.result == "permerror"


def test_two_from_fields_both_signed_by_the_attacker_are_no_pass() -> None:
    two = _with(PLAIN.replace(b"ann@example.com", b"x@evil.test"), b"From: ceo@bank.test")
    raw = _signed_as(two, "evil.test", names=(b"from", b"from", b"from"))
    judged = judge(raw, ZONE)
    assert _dkim(judged)[0] == "pass"
    assert judged.verdict.dmarc.result == "permerror"
    assert judged.verdict.dmarc.disposition == "reject"


def test_a_from_with_two_addresses_is_judged_for_both() -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", b"x@evil.test, ceo@bank.test")
    judged = judge(signed(raw, "evil.test"), ZONE)
    assert _displayed(raw) == ["x@evil.test", "ceo@bank.test"]
    assert judged.verdict.dmarc.result == "fail"
    assert judged.verdict.dmarc.domain == "bank.test"
    assert judged.verdict.dmarc.disposition == "reject"


def test_a_second_subject_over_a_signed_one_is_no_pass() -> None:
    raw = _signed_as(PLAIN, names=(b"from", b"subject", b"to"))
    judged = judge(_with(raw, b"Subject: pay now"), ZONE)
    assert _dkim(judged) == ("policy", Reason.DKIM_HEADER_REPEATED)
    assert judged.verdict.dmarc.result == "fail"


def test_a_second_subject_breaks_an_oversigned_signature() -> None:
    judged = judge(_with(signed(PLAIN, "example.com"), b"Subject: pay now"), ZONE)
    assert _dkim(judged)[0] == "fail"


@pytest.mark.parametrize(
    "field", [b"Content-Type: text/html", b"To: c@d.test", b"Date: x", b"Reply-To: a@b.test"]
)
def test_a_doubled_singleton_that_is_not_signed_whole_is_no_pass(field: bytes) -> None:
    name = field.partition(b":")[0]
    raw = _signed_as(_with(PLAIN, name + b": first"), names=(b"from", name.lower()))
    judged = judge(_with(raw, field), ZONE)
    assert judged.verdict.dkim[0].result == "policy"
    assert judged.verdict.dmarc.result == "fail"


def test_a_field_with_white_space_before_the_colon_is_the_same_field() -> None:
    raw = _signed_as(PLAIN, names=(b"from", b"subject"))
    judged = judge(_with(raw, b"Subject : pay now"), ZONE)
    assert judged.verdict.dkim[0].reason is Reason.DKIM_HEADER_REPEATED


@pytest.mark.parametrize("length", [0, 4])
def test_a_body_signed_in_part_is_no_pass(length: int) -> None:
    judged = judge(_signed_as(PLAIN, length=length), ZONE)
    assert _dkim(judged) == ("policy", Reason.DKIM_BODY_PARTLY_SIGNED)
    assert judged.verdict.dmarc.result == "fail"


def test_a_body_appended_to_a_length_limited_signature_is_no_pass() -> None:
    raw = _signed_as(PLAIN, length=len(canonical_body(b"One line.\r\n", "relaxed")))
    assert judge(raw, ZONE).verdict.dkim[0].result == "pass"
    judged = judge(raw + b"<h1>pay now</h1>\r\n", ZONE)
    assert _dkim(judged) == ("policy", Reason.DKIM_BODY_PARTLY_SIGNED)


def test_a_length_beyond_the_body_is_no_signature() -> None:
    judged = judge(_signed_as(PLAIN, length=999), ZONE)
    assert _dkim(judged) == ("permerror", Reason.DKIM_BODY_SHORT)


def test_a_signature_that_does_not_cover_from_is_none() -> None:
    judged = judge(_signed_as(PLAIN, names=(b"subject", b"to")), ZONE)
    assert _dkim(judged) == ("permerror", Reason.DKIM_FROM_UNSIGNED)


@pytest.mark.parametrize(
    "value",
    [
        '"ceo@bank.test" <ann@example.com>',
        "=?utf-8?q?ceo=40bank=2Etest?= <ann@example.com>",
        "=?utf-8?b?Y2VvQGJhbmsudGVzdA==?= <ann@example.com>",
        "(ceo@bank.test) ann@example.com",
        "ann@example.com (ceo@bank.test)",
        "ann(ceo@bank.test)@example.com",
        '"ceo@bank.test\\" <x@evil.test>" <ann@example.com>',
    ],
)
def test_an_address_that_is_no_address_is_neither_judged_nor_displayed(value: str) -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", value.encode())
    judged = judge(signed(raw, "example.com"), ZONE)
    assert [address.rpartition("@")[2] for address in _displayed(raw)] == ["example.com"]
    assert judged.verdict.header_from == "example.com"
    assert judged.verdict.dmarc.result == "pass"


@pytest.mark.parametrize(
    "value",
    ['"ceo@bank.test" <ann@example.com>', "=?utf-8?q?ceo=40bank=2Etest?= <ann@example.com>"],
)
def test_a_name_that_shows_another_address_is_named_for_the_score(value: str) -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", value.encode())
    reasons = {one.reason for one in judge(raw, ZONE).verdict.suspicions}
    assert Reason.FROM_NAME_SHOWS_ADDRESS in reasons


@pytest.mark.parametrize(
    "value",
    [
        "ceo@bank.test <x@evil.test>",
        "<ceo@bank.test> <x@evil.test>",
        '"x <ceo@bank.test>',
        "x@evil.test ceo@bank.test",
        "<x@evil.test>, <ceo@bank.test",
        "x@evil.test\x00, ceo@bank.test",
        "=?utf-8?q?ceo=40bank=2Etest?=",
        "=?utf-8?q?x?= =?utf-8?q?=3Cceo=40bank=2Etest=3E?=",
        "ceo@bank.test, ",
    ],
)
def test_what_readers_disagree_about_never_passes_for_a_domain_it_could_show(value: str) -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", value.encode())
    judged = judge(signed(raw, "evil.test"), ZONE)
    assert judged.verdict.dmarc.result != "pass"
    assert judged.verdict.dmarc.disposition == "reject"


def test_a_folded_from_is_displayed_and_judged_whole() -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", b"Ann\r\n <ann@\r\n example.com>")
    assert _displayed(raw) == ["ann@example.com"]
    assert judge(signed(raw, "example.com"), ZONE).verdict.dmarc.result == "pass"


def test_a_from_hidden_in_a_continuation_line_is_no_field() -> None:
    raw = _with(PLAIN, b"X-Note: one\r\n From: ceo@bank.test")
    assert _displayed(raw) == ["ann@example.com"]
    judged = judge(signed(raw, "example.com"), ZONE)
    assert (judged.verdict.dmarc.result, judged.verdict.header_from) == ("pass", "example.com")


def test_a_from_after_a_line_of_white_space_is_still_in_the_header() -> None:
    raw = b"X-Note: one\r\n \r\nFrom: ceo@bank.test\r\n" + PLAIN
    assert _displayed(raw) == ["ceo@bank.test"]
    judged = judge(raw, ZONE)
    assert judged.verdict.dmarc.reason is Reason.DMARC_SEVERAL_FROM


def test_a_from_in_the_body_is_no_field() -> None:
    raw = signed(
        PLAIN.replace(b"\r\n\r\n", b"\r\n\r\nFrom: ceo@bank.test\r\n\r\n", 1), "example.com"
    )
    assert _displayed(raw) == ["ann@example.com"]
    assert judge(raw, ZONE).verdict.dmarc.result == "pass"


def test_a_line_that_is_no_field_cannot_be_taken_for_from() -> None:
    raw = b"garbage line\r\nFrom: ceo@bank.test\r\n" + PLAIN
    assert _displayed(raw) == ["ceo@bank.test"]
    assert judge(raw, ZONE).verdict.dmarc.result == "permerror"


@pytest.mark.parametrize("local", ["jürgen", "用户", '"ceo@bank.test"', "a+b"])
def test_a_local_part_of_any_kind_is_displayed_and_judged(local: str) -> None:
    raw = PLAIN.replace(b"ann@example.com>", f"{local}@example.com>".encode())
    assert [a.rpartition("@")[2] for a in _displayed(raw)] == ["example.com"]
    judged = judge(signed(raw, "example.com"), ZONE)
    assert judged.verdict.dmarc.result == "pass"


def test_an_octet_that_is_not_utf8_makes_no_other_author() -> None:
    raw = PLAIN.replace(b"Ann <", b"Ann \xff\xfe <")
    judged = judge(signed(raw, "example.com"), ZONE)
    assert judged.verdict.header_from == "example.com"
    assert judged.verdict.dmarc.result == "pass"


def test_an_encoded_word_in_the_domain_is_not_decoded_into_another_domain() -> None:
    raw = PLAIN.replace(b"Ann <ann@example.com>", b"ceo@=?utf-8?q?bank=2Etest?=")
    judged = judge(raw, ZONE)
    assert judged.verdict.dmarc.result != "pass"
    assert judged.verdict.header_from != "bank.test"


def test_a_tag_that_only_looks_like_the_domain_is_not_it() -> None:
    raw = signed(PLAIN, "evil.test").replace(b"d=evil.test;", b"d=evil.test; dd=example.com;", 1)
    judged = judge(raw, ZONE)
    assert judged.verdict.dkim[0].domain == "evil.test"
    assert judged.verdict.dkim[0].result != "pass"


def test_a_from_that_is_too_long_to_be_read_is_no_pass() -> None:
    value = b"x@evil.test, " * 6000 + b"ceo@bank.test"
    raw = PLAIN.replace(b"Ann <ann@example.com>", value)
    assert judge(signed(raw, "evil.test"), ZONE).verdict.dmarc.result != "pass"


def test_a_signature_that_is_too_long_to_be_read_is_none() -> None:
    names = b"h=" + b"x:" * 40_000 + b"from"
    judged = judge(signed(PLAIN, "example.com").replace(b"h=from", names), ZONE)
    assert _dkim(judged) == ("permerror", Reason.DKIM_SYNTAX)

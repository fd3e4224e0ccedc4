"""DKIM: what each tag means, and what happens to a message on its way."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from mail.authentication.dkim import DkimOutcome, DkimPolicy, check_dkim
from mail.authentication.message import Message
from mail.authentication.reasons import Reason
from mail.authentication.signing import signed_field
from tests.authentication.kit import NOW, PLAIN, SELECTOR, key_for, keys_of, signed, zone

KEY = f"{SELECTOR}._domainkey.example.com"


def _judge(raw: bytes, data: Any = None, **policy: Any) -> list[DkimOutcome]:
    answers = zone(keys_of("example.com") if data is None else data)
    return list(check_dkim(Message(raw), answers, now=NOW, policy=DkimPolicy(**policy)))


def _field(**changes: str | None) -> bytes:
    """A valid signature of PLAIN with tags changed (None: left out) before it is made."""
    message = Message(PLAIN)
    names = (b"from", b"to", b"subject")
    tags: dict[str, str | None] = {
        "v": "1",
        "a": "rsa-sha256",
        "b": "",
        "bh": b64encode(message.body_hash("relaxed", None, "sha256")).decode(),
        "c": "relaxed/relaxed",
        "d": "example.com",
        "h": "from:to:subject",
        "s": SELECTOR,
        **changes,
    }
    kept = [(name, value) for name, value in tags.items() if value is not None]
    selected = message.signed_fields(names, "relaxed", None)
    return signed_field(b"DKIM-Signature", kept, selected, key_for("example.com"))


def _one(**changes: str | None) -> DkimOutcome:
    return _judge(_field(**changes) + PLAIN)[0]


def test_a_signature_verifies() -> None:
    outcome = _one()
    assert (outcome.result, outcome.reason) == ("pass", Reason.DKIM_VERIFIED)
    assert outcome.authenticated
    assert (outcome.domain, outcome.selector) == ("example.com", SELECTOR)
    assert outcome.identity == "@example.com"


@pytest.mark.parametrize("tag", ["v", "a", "bh", "d", "h", "s"])
def test_a_required_tag_that_is_missing_is_named(tag: str) -> None:
    outcome = _one(**{tag: None})
    assert (outcome.result, outcome.reason) == ("permerror", Reason.DKIM_TAG_MISSING)
    assert f" {tag}=" in outcome.words


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": "2"}, Reason.DKIM_VERSION),
        ({"a": "rsa-md5"}, Reason.DKIM_ALGORITHM),
        ({"c": "relaxed/fancy"}, Reason.DKIM_CANONICALIZATION),
        ({"q": "http"}, Reason.DKIM_QUERY),
        ({"h": "to:subject"}, Reason.DKIM_FROM_UNSIGNED),
        ({"h": ""}, Reason.DKIM_SYNTAX),
        ({"h": "from::to"}, Reason.DKIM_SYNTAX),
        ({"d": "com"}, Reason.DKIM_SYNTAX),
        ({"d": "exa mple.com"}, Reason.DKIM_SYNTAX),
        ({"s": "-x-"}, Reason.DKIM_SYNTAX),
        ({"i": "ann@example.org"}, Reason.DKIM_IDENTITY),
        ({"i": "ann@notexample.com"}, Reason.DKIM_IDENTITY),
        ({"i": "ann"}, Reason.DKIM_IDENTITY),
        ({"bh": "not!base64"}, Reason.DKIM_SYNTAX),
        ({"l": "-1"}, Reason.DKIM_SYNTAX),
        ({"l": "9" * 77}, Reason.DKIM_SYNTAX),
        ({"t": "soon"}, Reason.DKIM_SYNTAX),
        ({"t": "200", "x": "100"}, Reason.DKIM_SYNTAX),
        ({"t": "200", "x": "200"}, Reason.DKIM_SYNTAX),
    ],
)
def test_a_tag_that_is_not_valid_makes_the_signature_none(
    changes: dict[str, str], reason: Reason
) -> None:
    outcome = _one(**changes)
    assert (outcome.result, outcome.reason) == ("permerror", reason)
    assert not outcome.authenticated


@pytest.mark.parametrize(
    "changes",
    [
        {"i": "@example.com"},
        {"i": "=61nn@sub.example.com"},
        {"i": "j=C3=BCrgen@example.com"},
        {"q": "x/y:dns/txt"},
        {"z": "From:ann=40example.com|To:bob"},
        {"t": "1"},
        {"x": "999999999999"},
        {"l": "11"},
        {"unknown": "tag"},
        {"d": "EXAMPLE.com"},
        {"a": "RSA-sha256"},
    ],
)
def test_what_is_allowed_in_a_signature(changes: dict[str, str | None]) -> None:
    length = len(b"One line.\r\n")
    assert _one(**{k: str(length) if k == "l" else v for k, v in changes.items()}).result == "pass"


def test_the_body_is_simple_when_only_the_header_is_named() -> None:
    assert _one(c="relaxed").result == "pass"


def test_a_signature_expires() -> None:
    moment = int((NOW - timedelta(seconds=1)).timestamp())
    outcome = _one(x=str(moment))
    assert (outcome.result, outcome.reason) == ("permerror", Reason.DKIM_EXPIRED)
    assert _one(x=str(int(NOW.timestamp()))).result == "pass"


def test_sha1_is_not_accepted() -> None:
    outcome = _one(a="rsa-sha1")
    assert (outcome.result, outcome.reason) == ("policy", Reason.DKIM_SHA1)


def test_a_short_key_is_not_accepted() -> None:
    outcome = _judge(_field() + PLAIN, min_rsa_bits=4096)[0]
    assert (outcome.result, outcome.reason) == ("policy", Reason.DKIM_KEY_SHORT)


@pytest.mark.parametrize(
    ("record", "result", "reason"),
    [
        ("v=DKIM1; k=rsa; p=", "permerror", Reason.DKIM_KEY_REVOKED),
        ("p=", "permerror", Reason.DKIM_KEY_REVOKED),
        ("v=DKIM2; p={p}", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("p={p}; v=DKIM1", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("v=DKIM1", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("v=DKIM1; p={p}; p={p}", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("v=DKIM1; p=AAAA", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("v=spf1 -all", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("", "permerror", Reason.DKIM_KEY_SYNTAX),
        ("v=DKIM1; k=ed448; p={p}", "permerror", Reason.DKIM_KEY_TYPE),
        ("v=DKIM1; h=sha1; p={p}", "permerror", Reason.DKIM_KEY_HASH),
        ("v=DKIM1; s=chat; p={p}", "permerror", Reason.DKIM_KEY_SERVICE),
        ("v=DKIM1; t=y; p={p}", "pass", Reason.DKIM_TESTING),
        ("v=DKIM1; t=s:x; p={p}", "pass", Reason.DKIM_VERIFIED),
        ("v=DKIM1; s=chat:email; h=sha1 : sha256; p={p}", "pass", Reason.DKIM_VERIFIED),
        ("p={p}", "pass", Reason.DKIM_VERIFIED),
        ("v = DKIM1 ; k = RSA ; g = * ; n = note ; p = {p} ;", "pass", Reason.DKIM_VERIFIED),
    ],
)
def test_what_a_key_record_says(record: str, result: str, reason: Reason) -> None:
    public = key_for("example.com").record().partition("p=")[2]
    outcome = _judge(_field() + PLAIN, {KEY: record.format(p=public)})[0]
    assert (outcome.result, outcome.reason) == (result, reason)


def test_a_test_key_makes_no_authenticated_identifier() -> None:
    public = key_for("example.com").record().partition("p=")[2]
    outcome = _judge(_field() + PLAIN, {KEY: f"t=y; p={public}"})[0]
    assert outcome.result == "pass"
    assert not outcome.authenticated


def test_a_key_that_forbids_subdomains_holds_for_the_identity() -> None:
    public = key_for("example.com").record().partition("p=")[2]
    data = {KEY: f"v=DKIM1; t=s; p={public}"}
    assert _judge(_field(i="@sub.example.com") + PLAIN, data)[0].reason is Reason.DKIM_KEY_IDENTITY
    assert _judge(_field(i="a@example.com") + PLAIN, data)[0].result == "pass"


def test_one_of_several_key_records_is_enough() -> None:
    good = key_for("example.com").record()
    rows = [{"TXT": "v=DKIM1; p="}, {"TXT": "unrelated"}, {"TXT": good}]
    assert _judge(_field() + PLAIN, {KEY: rows})[0].result == "pass"


def test_each_signature_is_judged_on_its_own() -> None:
    raw = b"DKIM-Signature: nonsense\r\n" + signed(PLAIN, "one.test", "example.com", "two.test")
    data = {**keys_of("example.com", "two.test"), f"{SELECTOR}._domainkey.two.test": ["TIMEOUT"]}
    results = [outcome.result for outcome in _judge(raw, data)]
    assert results == ["permerror", "permerror", "pass", "temperror"]


def test_no_more_signatures_are_judged_than_the_policy_says() -> None:
    raw = signed(PLAIN, *["example.com"] * 5)
    outcomes = _judge(raw, max_signatures=3)
    assert [o.result for o in outcomes] == ["pass", "pass", "pass", "policy"]
    assert outcomes[-1].reason is Reason.DKIM_TOO_MANY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"One line.", b"Another line."),
        (b"Subject: hello", b"Subject: hello!"),
        (b"Ann <", b"Anne <"),
    ],
)
def test_a_change_on_the_way_is_seen(old: bytes, new: bytes) -> None:
    assert _judge((_field() + PLAIN).replace(old, new))[0].result == "fail"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: hello", b"SUBJECT:\r\n\thello  "),
        (b"One line.\r\n", b"One \t line.  \r\n\r\n\r\n"),
        (b"To: bob", b"Received: by x\r\nTo: bob"),
        (b"\r\n", b"\n"),
    ],
)
def test_a_change_that_relaxed_forgives_is_not(old: bytes, new: bytes) -> None:
    assert _judge((_field() + PLAIN).replace(old, new))[0].result == "pass"


def test_the_value_of_b_may_be_folded_anywhere() -> None:
    field = _field()
    at = field.index(b" b=") + 20
    assert _judge(field[:at] + b"\r\n\t " + field[at:] + PLAIN)[0].result == "pass"


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"no line end", b"a\r\n\r\n"])
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_bodies_of_every_end_can_be_signed(body: bytes, kind: str) -> None:
    raw = PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    outcome = _judge(signed(raw, "example.com", kind=kind), keys_of("example.com", kind=kind))[0]
    assert outcome.result == "pass"


def test_a_message_that_ends_in_its_header_can_be_verified() -> None:
    raw = PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert _judge(signed(raw, "example.com"))[0].result == "pass"


def test_a_signature_with_a_sign_of_another_signature_covers_it() -> None:
    inner = signed(PLAIN, "example.com")
    assert [o.result for o in _judge(signed(inner, "example.com"))] == ["pass", "pass"]

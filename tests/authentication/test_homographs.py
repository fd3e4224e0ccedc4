"""What the From field shows that may mislead."""

from __future__ import annotations

import pytest

from mail.authentication.author import read_author
from mail.authentication.homographs import scripts, skeleton, suspicions
from mail.authentication.message import Message
from mail.authentication.reasons import Reason


def _reasons(value: str, *protected: str) -> set[Reason]:
    message = Message(f"From: {value}\r\n\r\n".encode())
    return {one.reason for one in suspicions(read_author(message), protected)}


@pytest.mark.parametrize(
    "value",
    [
        "Ann <ann@example.com>",
        "ann@bücher.test",
        "Jürgen <j@müller.test>",
        "a@例え.test",
        "a@пример.test",
        "a@παράδειγμα.test",
        "a@한국.test",
        '"Ann (example.com)" <ann@example.com>',
        '"ann@example.com" <ann@mail.example.com>',
    ],
)
def test_what_is_as_it_should_be(value: str) -> None:
    assert _reasons(value) == set()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a@pаypal.test", Reason.FROM_MIXED_SCRIPTS),
        ("a@exаmple.test", Reason.FROM_MIXED_SCRIPTS),
        ("a@раураӏ.test", Reason.FROM_LOOKALIKE),
        ("a@xn--zzzzzz-.test", Reason.FROM_BAD_PUNYCODE),
        ("a@xn--a-.test", Reason.FROM_BAD_PUNYCODE),
        ("An\u200bn <a@b.test>", Reason.FROM_INVISIBLE),
        ("\u202enna <a@b.test>", Reason.FROM_INVISIBLE),
        ('"ceo@bank.test" <a@evil.test>', Reason.FROM_NAME_SHOWS_ADDRESS),
        ('"ceo@bank.test via list" <a@evil.test>', Reason.FROM_NAME_SHOWS_ADDRESS),
    ],
)
def test_what_may_mislead(value: str, reason: Reason) -> None:
    assert reason in _reasons(value)


@pytest.mark.parametrize(
    "domain", ["examp1e.com", "exarnple.com", "exаmple.com", "EXAMPLE.com.", "êxample.com"]
)
def test_a_domain_that_looks_like_a_protected_one(domain: str) -> None:
    found = _reasons(f"a@{domain.removesuffix('.')}", "example.com")
    assert (Reason.FROM_LOOKALIKE in found) == (domain != "EXAMPLE.com.")


def test_a_subdomain_of_a_protected_domain_is_no_lookalike() -> None:
    assert _reasons("a@mail.example.com", "example.com", "mail.example.com") == set()


def test_skeletons_of_what_looks_alike_are_equal() -> None:
    assert skeleton("раураl.com") == skeleton("paypal.com")
    assert skeleton("rnicrosoft.com") == skeleton("microsoft.com")
    assert skeleton("example.com") != skeleton("sample.com")


def test_scripts_of_letters() -> None:
    assert scripts("abc-123") == {"LATIN"}
    assert scripts("аb") == {"CYRILLIC", "LATIN"}
    assert scripts("漢字かな") == {"CJK", "HIRAGANA"}
    assert scripts("123-") == frozenset()

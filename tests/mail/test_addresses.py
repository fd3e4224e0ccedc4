"""Address fields are read as RFC 5322 says, and never as two or another address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.addresses import (
    Group,
    Mailbox,
    account_key,
    canonical,
    parse_addresses,
    same_address,
    split_address,
)

WELL_FORMED: list[tuple[str | bytes, list[tuple[str, str]]]] = [
    ("a@example.org", [("", "a@example.org")]),
    ("<a@example.org>", [("", "a@example.org")]),
    ("Al <a@example.org>", [("Al", "a@example.org")]),
    ("John Q. Public <j@example.org>", [("John Q. Public", "j@example.org")]),
    ('"Public, John" <j@example.org>', [("Public, John", "j@example.org")]),
    ('"say \\"hi\\"" <j@example.org>', [('say "hi"', "j@example.org")]),
    ("a@example.org, B <b@example.org>", [("", "a@example.org"), ("B", "b@example.org")]),
    ("a@example.org (Al Capone)", [("Al Capone", "a@example.org")]),
    ("Pete(a \\) (nested) one) <pete(his)@silly.test>", [("Pete", "pete@silly.test")]),
    ("a . b @ example . org", [("", "a.b@example.org")]),
    ("<@relay.test,@other.test:a@example.org>", [("", "a@example.org")]),
    ("a@example.org,, ,b@example.org,", [("", "a@example.org"), ("", "b@example.org")]),
    ('"john"@example.org', [("", "john@example.org")]),
    ('"j d"@example.org', [("", '"j d"@example.org')]),
    ("x <a@[192.0.2.1]>", [("x", "a@[192.0.2.1]")]),
    ("folded\r\n name <a@example.org>", [("folded name", "a@example.org")]),
    ("=?utf-8?q?J=C3=B6rg?= <j@example.org>", [("Jörg", "j@example.org")]),
    ("=?utf-8?q?J=C3?= =?utf-8?q?=B6rg?= <j@example.org>", [("Jörg", "j@example.org")]),
    ('"=?utf-8?q?J=C3=B6rg?=" <j@example.org>', [("Jörg", "j@example.org")]),
    ("=?utf-8?q?a=40b.test=3E?= <j@example.org>", [("a@b.test>", "j@example.org")]),
    ("jörg@bücher.example", [("", "jörg@bücher.example")]),
    (b"J\xf6rg <j@example.org>", [("Jörg", "j@example.org")]),
    ("G: a@example.org, B <b@example.org>;", [("", "a@example.org"), ("B", "b@example.org")]),
    ("undisclosed-recipients:;", []),
    ("", []),
]

MALFORMED = [
    "alice@example.org)<bob@example.com>",
    "alice@example.org(<bob@example.com>",
    "alice@example.org<bob@example.com>",
    "alice@example.org@<bob@example.com>",
    "alice@example.org;<bob@example.com>",
    "alice@example.org:<bob@example.com>",
    "alice@example.org.<bob@example.com>",
    '"alice@example.org"<bob@example.com>@evil.test',
    'alice@example.org"<bob@example.com>',
    "alice@example.org[<bob@example.com>",
    "alice@example.org]<bob@example.com>",
    "alice@example.org\\<bob@example.com>",
    "alice@example.org <bob@example.com>",
    "<alice@example.org> <bob@example.com>",
    "<alice@example.org>@evil.test",
    "<alice@example.org, bob@example.com>",
    "alice@example.org bob",
    "alice@example.org@evil.test",
    "alice@example.org\x00@evil.test",
    "a b@example.org",
    "a@",
    "@example.org",
    "a..b@example.org",
    "a@example..org",
    "<>",
    "<a@example.org",
    "a@example.org>",
    "Friends: a@example.org, b@example.org",
    "G: H: a@example.org;;",
    '"\ttab"@example.org',
    b"\xff@example.org",
]


@pytest.mark.parametrize(("value", "expected"), WELL_FORMED)
def test_a_well_formed_field_gives_its_mailboxes_and_no_defect(
    value: str | bytes, expected: list[tuple[str, str]]
) -> None:
    parsed = parse_addresses(value)
    assert [tuple(m) for m in parsed.mailboxes] == expected
    assert parsed.defects == ()


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_address_is_a_defect_and_no_mailbox(value: str | bytes) -> None:
    parsed = parse_addresses(value)
    assert parsed.mailboxes == ()
    assert parsed.defects


def test_a_malformed_element_does_not_hide_the_others() -> None:
    parsed = parse_addresses("a@example.org, b@x c@y, d@example.org")
    assert [m.address for m in parsed.mailboxes] == ["a@example.org", "d@example.org"]
    assert parsed.defects == ("malformed address",)


def test_nothing_is_read_after_broken_quoting() -> None:
    parsed = parse_addresses('a@example.org, "b <b@example.org>, c@example.org')
    assert [m.address for m in parsed.mailboxes] == ["a@example.org"]
    assert parsed.defects == ("unterminated quoted string",)


def test_of_a_field_that_is_too_long_whole_addresses_are_read() -> None:
    parsed = parse_addresses("a@example.org, " * 20_000)
    assert {m.address for m in parsed.mailboxes} == {"a@example.org"}
    assert parsed.defects == ("too long",)


def test_groups_keep_their_name_and_members() -> None:
    parsed = parse_addresses('"Old Friends": a@example.org, b@example.org; , c@example.org')
    members = (Mailbox("", "a@example.org"), Mailbox("", "b@example.org"))
    assert parsed.groups == (Group("Old Friends", members),)
    assert parsed.mailboxes == (*members, Mailbox("", "c@example.org"))


def test_the_same_address_as_unquoted_display_name_is_one_address() -> None:
    parsed = parse_addresses("a@example.org <A@Example.org>")
    assert parsed.mailboxes == (Mailbox("a@example.org", "A@Example.org"),)
    assert parsed.defects == ("address as display name",)


def test_a_local_part_alone_has_no_domain() -> None:
    (mailbox,) = parse_addresses("Mail Delivery <MAILER-DAEMON>").mailboxes
    assert (mailbox.local, mailbox.domain) == ("MAILER-DAEMON", "")


def test_a_quoted_local_part_with_at_sign_is_split_at_the_last() -> None:
    (mailbox,) = parse_addresses('"a@b"@example.org').mailboxes
    assert (mailbox.local, mailbox.domain) == ('"a@b"', "example.org")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("A.b@Example.ORG", "A.b@example.org"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@example.org.", "a@example.org"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@ex\u2028ample.org", "a@ex\u2028ample.org"),
        ("Root", "Root"),
    ],
)
def test_canonical_folds_the_domain_alone(address: str, key: str) -> None:
    assert canonical(address) == key


def test_account_lookup_folds_the_local_part_too() -> None:
    assert account_key("Bob@Example.org") == "bob@example.org"
    assert not same_address("Bob@example.org", "bob@example.org")
    assert same_address("bob@EXAMPLE.org", "bob@example.org")


_PIECES = st.sampled_from(
    [
        '"',
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        "\\",
        ".",
        "[",
        "]",
        " ",
        "a",
        "é",
        "\r\n ",
        "\x00",
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join) | st.binary(max_size=60) | st.text(max_size=60))
def test_any_input_gives_addresses_that_parse_to_themselves(value: str | bytes) -> None:
    for mailbox in parse_addresses(value).mailboxes:
        mailbox.name.encode()
        local, domain = split_address(mailbox.address)
        assert local
        if domain:
            assert [m.address for m in parse_addresses(mailbox.address).mailboxes] == [
                mailbox.address
            ]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_an_address_is_never_made_of_two_elements(one: bytes, other: bytes) -> None:
    found = parse_addresses(one + b'"' + other).mailboxes
    assert len(found) <= (one + other).count(b",") + 1

"""The digest of a message, and base subjects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail import message
from mail.addresses import Mailbox
from mail.message import base_subject, digest, message_ids
from tests.corpora import corpus_files

RAW = b"""\
Received: from a
Received: from b
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.net>
To: b@example.org
To: c@example.org
Cc: "D, E" <de@example.org>
Subject: =?utf-8?q?Sch=C3=B6ne?=
 welt
Date: Wed, 1 Jul 2020 01:03:41 -0400
Message-ID: <three@example.net>
In-Reply-To: your message <two@example.net> of today
References: <zero@example.net>
\t<one@example.net>  <zero@example.net>
Auto-Submitted: Auto-Replied (vacation)
List-Id: The list <List.Example.org>
Content-Type: multipart/mixed; boundary=b

--b

Hello

> quoted
--b
Content-Type: application/pdf; name="x.pdf"
Content-Transfer-Encoding: base64

YWJj
--b--
"""


def test_a_digest_tells_who_what_and_when() -> None:
    d = digest(RAW)
    assert d.from_ == (Mailbox("Jörg", "joerg@example.net"),)
    assert [m.address for m in d.to] == ["b@example.org", "c@example.org"]
    assert d.cc == (Mailbox("D, E", "de@example.org"),)
    assert d.subject == "Schöne welt"
    assert d.date == datetime(2020, 7, 1, 5, 3, 41, tzinfo=UTC)
    assert d.message_id == "three@example.net"
    assert (d.auto_submitted, d.list_id) == ("auto-replied", "list.example.org")
    assert d.snippet == "Hello"
    assert [(a.filename, a.mime_type, a.size) for a in d.attachments] == [
        ("x.pdf", "application/pdf", 3)
    ]
    assert d.has_attachments
    assert d.defect == ""


def test_references_end_with_the_parent() -> None:
    d = digest(RAW)
    assert d.references == ("two@example.net", "zero@example.net", "one@example.net")
    assert d.in_reply_to == "two@example.net"


def test_headers_are_decoded_and_repeated_ones_kept() -> None:
    headers = digest(RAW).headers
    assert headers["received"] == ("from a", "from b")
    assert headers["subject"] == ("Schöne welt",)


def test_a_from_that_is_no_address_is_shown_as_text() -> None:
    assert digest(b"From: Bad <a@b> <c@d>\n\n").from_ == (Mailbox("Bad <a@b> <c@d>", ""),)


def test_an_empty_message_has_a_digest() -> None:
    d = digest(b"")
    assert (d.from_, d.subject, d.date, d.message_id, d.snippet) == ((), "", None, "", "")


def test_an_error_of_ours_still_gives_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise KeyError

    monkeypatch.setattr(message, "parse_date", broken)
    d = digest(RAW)
    assert d.defect == "KeyError"
    assert d.headers["to"] == ("b@example.org", "c@example.org")


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (b"<a@b>", ("a@b",)),
        (b" <a@b><c@d>\r\n\t<e@f>", ("a@b", "c@d", "e@f")),
        (b"<a@\r\n b>", ("a@b",)),
        (b"<a@b> <a@b>", ("a@b",)),
        (b"yes <yes> <@> <>", ()),
        (b"<a@b", ()),
        (b"<<a@b>>", ("a@b",)),
        (b'Message from "x" of today <a@b> (x)', ("a@b",)),
        (b"", ()),
    ],
)
def test_message_identifiers_are_found(value: bytes, ids: tuple[str, ...]) -> None:
    assert message_ids(value) == ids


@pytest.mark.parametrize(
    ("subject", "base", "marked"),
    [
        ("hello", "hello", False),
        ("Re: hello", "hello", True),
        ("RE:hello", "hello", True),
        ("re [list] : hello", "hello", True),
        ("[list] Re: [list] hello", "hello", True),
        ("[list] hello", "hello", False),
        ("[only]", "[only]", False),
        ("Re: [only]", "[only]", True),
        ("hello (fwd)", "hello", True),
        ("hello (fwd) (FWD) ", "hello", True),
        ("Fwd: Re: Fw: hello", "hello", True),
        ("[fwd: Re: hello]", "hello", True),
        ("[Fwd: [fwd: hello (fwd)]]", "hello", True),
        ("Re[2]: hello", "hello", True),
        ("Re^3: hello", "hello", True),
        ("AW: WG: Hallo", "Hallo", True),
        ("SV: VS: Antw: hej", "hej", True),
        ("Odp: hej", "hej", True),
        ("回复：你好", "你好", True),
        ("re hello", "re hello", False),
        ("regarding: x", "regarding: x", False),
        ("Re:", "", True),
        ("  a \t b ", "a b", False),
        ("", "", False),
    ],
)
def test_base_subjects(subject: str, base: str, marked: bool) -> None:
    assert base_subject(subject) == (base, marked)


@given(
    st.lists(st.sampled_from(["re:", "[", "]", "[fwd:", "(fwd)", " ", "x", "["]), max_size=20)
    .map("".join)
    .filter(lambda s: len(s) < 100)
)
def test_a_base_subject_is_its_own_base(subject: str) -> None:
    base, _ = base_subject(subject)
    assert base_subject(base)[0] == base


@given(st.binary(max_size=200))
def test_any_input_gives_a_digest(raw: bytes) -> None:
    d = digest(raw)
    assert d.defect == ""
    d.headers  # noqa: B018
    d.subject.encode()


def test_every_message_of_the_public_suites_has_a_digest() -> None:
    for path in corpus_files("mime"):
        d = digest(path.read_bytes())
        assert d.defect == "", path.name
        assert "\n" not in d.subject + d.snippet + d.message_id

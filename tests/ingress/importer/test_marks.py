from __future__ import annotations

import pytest

from ingress.importer.dates import from_line_date, header_date
from ingress.importer.kept import Marks, crlf
from ingress.importer.marks import maildir_marks, mbox_marks
from mail.fields import split_header


def marks(flags: str = "", labels: str = "") -> Marks:
    return Marks(frozenset(flags.split()), frozenset(n for n in labels.split("|") if n))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.2.host:2,", marks()),
        ("1.2.host", marks()),
        ("1.2.host:2,S", marks("seen")),
        ("1.2.host,S=12:2,DFRS", marks("draft flagged answered seen")),
        ("1.2.host:2,PST", marks("seen", "TRASH")),
        ("1.2.host:2,Sab", marks("seen")),
        ("1.2.host;2,F", marks("flagged")),
        ("1.2.host:1,S", marks()),
    ],
)
def test_maildir_names(name: str, expected: Marks) -> None:
    assert maildir_marks(name) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Subject: x\n", marks()),
        (b"Status: RO\n", marks("seen")),
        (b"Status: O\r\n", marks()),
        (b"X-Status: AF\nstatus: R\n", marks("seen answered flagged")),
        (b"X-Status: D\n", marks("", "TRASH")),
        (b"X-Status: T\n", marks("draft")),
        (b"X-Mozilla-Status: 0005\n", marks("seen flagged")),
        (b"X-Mozilla-Status: 000b\n", marks("seen answered", "TRASH")),
        (b"X-Mozilla-Status: what\n", marks()),
        (b"X-Keywords: Work $Forwarded NonJunk  Later\n", marks("", "Work|Later")),
        (b"X-Keywords: Junk\n", marks("", "SPAM")),
        (b"X-Gmail-Labels: Inbox,Unread,Work/Plans\n", marks("", "INBOX|Work/Plans")),
        (b"X-Gmail-Labels: Sent,Starred\n", marks("seen flagged", "SENT")),
        (b'X-Gmail-Labels: Important,"A, B"\n', marks("seen", "A, B")),
        (b"X-Gmail-Labels: Archived,Opened,Category Updates\n", marks("seen", "ALL")),
        (b"X-Gmail-Labels: Drafts\n", marks("seen draft", "DRAFTS")),
        (b"X-Gmail-Labels: Spam,\n Unread\n", marks("", "SPAM")),
        (b"X-Gmail-Labels: =?UTF-8?Q?B=C3=BCcher?=\n", marks("seen", "Bücher")),
        (b"X-Status-Of-It: A\n", marks()),
    ],
)
def test_mbox_headers(header: bytes, expected: Marks) -> None:
    assert mbox_marks(header) == expected


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"From a@b.test Mon Jan  1 00:00:00 2001", 978307200),
        (b"From a@b.test  Mon Jan  1 00:00 2001", 978307200),
        (b"From - Mon Jan 1 00:00:00 2001", 978307200),
        (b"From a@b.test Mon Jan  1 00:00:00 EST 2001", 978307200 + 5 * 3600),
        (b"From 1@xxx Mon Jan 01 00:00:00 +0200 2001", 978307200 - 2 * 3600),
        (b"From a@b.test Mon Jan  1 00:00:00 2001 -0100", 978307200 + 3600),
        (b"From a@b.test Mon, 1 Jan 2001 00:00:00 +0000", 978307200),
        (b"From a@b.test Mon Jan 32 00:00:00 2001", None),
        (b"From a@b.test Mon Jan  1 00:00:00 1950", None),
        (b"From nobody", None),
    ],
)
def test_dates_of_from_lines(line: bytes, seconds: int | None) -> None:
    assert from_line_date(line) == (None if seconds is None else seconds * 1_000_000)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"Date: Mon, 1 Jan 2001 00:00:00 +0000\n\n", 978307200),
        (
            b"Received: from a by b; Tue, 2 Jan 2001 00:00:00 +0000\n"
            b"Received: from c by a; Mon, 1 Jan 2001 00:00:00 +0000\n"
            b"Date: Mon, 1 Jan 2001 00:00:00 +0000\n\n",
            978307200 + 86400,
        ),
        (b"Received: from a by b\nDate: Mon, 1 Jan 2001 00:00:00 +0000\n\n", 978307200),
        (b"Date: never\n\n", None),
        (b"\n", None),
    ],
)
def test_dates_of_headers(header: bytes, seconds: int | None) -> None:
    assert header_date(split_header(header)) == (None if seconds is None else seconds * 1_000_000)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r\r\n\n", b"a\rb\r\r\n\r\n"),
        (b"\n\n", b"\r\n\r\n"),
        (b"", b""),
    ],
)
def test_bare_line_feeds_become_line_ends_and_nothing_else_changes(
    raw: bytes, expected: bytes
) -> None:
    assert crlf(raw) == expected

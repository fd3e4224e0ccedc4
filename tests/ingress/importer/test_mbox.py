from __future__ import annotations

import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.importer.mbox import is_mbox, messages

FROM = b"From someone@sender.test Mon Jan  1 00:00:00 2001\n"
ONE = b"Subject: one\n\nfirst\n"
TWO = b"Subject: two\n\nsecond\n"


def contents(data: bytes) -> list[bytes]:
    return [m.content for m in messages(data)]


def counted(message: bytes) -> bytes:
    header, _, body = message.partition(b"\n\n")
    return header + b"\nContent-Length: %d\n\n" % len(body) + body


CASES: dict[str, tuple[bytes, list[bytes]]] = {
    "two": (FROM + ONE + b"\n" + FROM + TWO + b"\n", [ONE, TWO]),
    "no empty line at the end": (FROM + ONE + b"\n" + FROM + TWO, [ONE, TWO]),
    "no line end at the end": (
        FROM + ONE + b"\n" + FROM + b"Subject: x\n\ny",
        [ONE, b"Subject: x\n\ny"],
    ),
    "CRLF": (
        (FROM + ONE + b"\n" + FROM + TWO + b"\n").replace(b"\n", b"\r\n"),
        [ONE.replace(b"\n", b"\r\n"), TWO.replace(b"\n", b"\r\n")],
    ),
    "no empty line before From_": (FROM + ONE + FROM + TWO, [ONE, TWO]),
    "more empty lines belong to the message": (
        FROM + ONE + b"\n\n\n" + FROM + TWO,
        [ONE + b"\n\n", TWO],
    ),
    "header only": (FROM + b"Subject: x\n\n\n" + FROM + TWO, [b"Subject: x\n\n", TWO]),
    "mboxo": (
        FROM + b"Subject: x\n\n>From here\nFrom\n" + b"\n" + FROM + TWO,
        [b"Subject: x\n\nFrom here\nFrom\n", TWO],
    ),
    "mboxrd": (
        FROM + b"Subject: x\n\n>From a\n>>From b\n>>>From c\n> From d\n" + b"\n" + FROM + TWO,
        [b"Subject: x\n\nFrom a\n>From b\n>>From c\n> From d\n", TWO],
    ),
    "a From that is text": (
        FROM
        + b"Subject: x\n\nText\n\nFrom here on all is text\n\nFrom May 2001 on.\n\n"
        + FROM
        + TWO,
        [b"Subject: x\n\nText\n\nFrom here on all is text\n\nFrom May 2001 on.\n", TWO],
    ),
    "a From with a date in the midst of a paragraph": (
        FROM + b"Subject: x\n\nText\n" + FROM + b"is how mbox begins.\n\n" + FROM + TWO,
        [b"Subject: x\n\nText\n" + FROM + b"is how mbox begins.\n", TWO],
    ),
    "mboxcl": (
        FROM + counted(b"S: x\n\n>From a\n") + b"\n" + FROM + counted(b"S: y\n\nz\n") + b"\n",
        [
            b"S: x\nContent-Length: 8\n\nFrom a\n".replace(b"8", b"8"),
            b"S: y\nContent-Length: 2\n\nz\n",
        ],
    ),
    "mboxcl2": (
        FROM
        + counted(b"S: x\n\n>From a\n\n" + FROM + b"S: inner\n\nb\n")
        + b"\n"
        + FROM
        + counted(b"S: y\n\nz\n")
        + b"\n",
        [
            counted(b"S: x\n\n>From a\n\n" + FROM + b"S: inner\n\nb\n"),
            counted(b"S: y\n\nz\n"),
        ],
    ),
    "mboxcl whose counts include the empty line": (
        FROM + b"S: x\nContent-Length: 3\n\na\n\n" + FROM + b"S: y\nContent-Length: 3\n\nb\n\n",
        [b"S: x\nContent-Length: 3\n\na\n\n", b"S: y\nContent-Length: 3\n\nb\n\n"],
    ),
    "a Content-Length that is wrong": (
        FROM + b"S: x\nContent-Length: 3\n\nlonger\n\n" + FROM + TWO,
        [b"S: x\nContent-Length: 3\n\nlonger\n", TWO],
    ),
    "a forged Content-Length swallows nothing": (
        FROM + b"S: x\nContent-Length: %d\n\na\n\n" % (3 + len(FROM + TWO)) + FROM + TWO,
        [b"S: x\nContent-Length: %d\n\na\n" % (3 + len(FROM + TWO)), TWO],
    ),
    "Thunderbird": (
        b"From - Tue Apr 27 19:42:16 2004\n" + ONE + b"\nFrom - Tue Apr 27 19:42:17 2004\n" + TWO,
        [ONE, TWO],
    ),
    "with a zone before the year": (
        b"From 15@xxx Sun Jan 01 00:00:00 +0000 2012\n"
        + ONE
        + b"\nFrom a Sun Jan 1 1:00 EST 2012\n"
        + TWO,
        [ONE, TWO],
    ),
    "without dates": (b"From nobody\n" + ONE + b"\nFrom nobody\n" + TWO, [ONE, TWO]),
    "leading empty lines": (b"\n\n" + FROM + ONE, [ONE]),
    "an empty message": (FROM + FROM + TWO, [b"", TWO]),
    "only a From_ line": (FROM, [b""]),
    "only a From_ line without its end": (FROM.rstrip(), [b""]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", CASES)
def test_messages(name: str) -> None:
    data, expected = CASES[name]
    assert contents(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FROM + ONE, True),
        (b"From nobody\nSubject: x\n\n", True),
        (b"From: a@b.test\n\n", False),
        (b"From here on\nall is text\n", False),
        (b"", False),
        (b"\x1f\x8b", False),
    ],
)
def test_what_begins_as_an_mbox(data: bytes, expected: bool) -> None:
    assert is_mbox(data) is expected


LINES = st.lists(
    st.sampled_from([b"", b"text", b"From x", b">From x", b">>From x", FROM.rstrip(), b"A: b"]),
    max_size=8,
).map(lambda lines: b"Subject: x\n\n" + b"".join(line + b"\n" for line in lines))


@given(st.lists(LINES, min_size=1, max_size=5))
def test_what_was_written_as_mboxrd_comes_back(mails: list[bytes]) -> None:
    quoted = [
        b"".join(
            (b">" + line if line.lstrip(b">").startswith(b"From ") else line)
            for line in mail.splitlines(keepends=True)
        )
        for mail in mails
    ]
    assert contents(b"".join(FROM + q + b"\n" for q in quoted)) == mails


@given(st.lists(LINES, min_size=2, max_size=5))
def test_what_was_written_as_mboxcl2_comes_back(mails: list[bytes]) -> None:
    written = [counted(m) for m in mails]
    if not any(b"\nFrom " in m for m in mails):
        written = [w.replace(b">From ", b"-From ") for w in written]
    assert contents(b"".join(FROM + w + b"\n" for w in written)) == written


def test_what_the_standard_library_writes_comes_back(tmp_path: Path) -> None:
    mails = [ONE, b"Subject: x\n\nFrom a to b\n\nFrom c\n", TWO]
    box = mailbox.mbox(tmp_path / "box")
    for mail in mails:
        box.add(mail)
    box.close()
    assert contents((tmp_path / "box").read_bytes()) == mails


@given(st.binary(max_size=200), st.lists(st.sampled_from([FROM, b"\n", b">From ", b"A: b\n"])))
def test_any_bytes_give_messages_in_order_and_lose_none_between(
    tail: bytes, parts: list[bytes]
) -> None:
    data = b"".join(parts) + tail
    ends = [m.end for m in messages(data)]
    assert ends == sorted(ends)
    assert all(e <= len(data) for e in ends)

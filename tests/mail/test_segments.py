"""Large parts are cut out and put back, byte for byte."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.segments import LARGE, SkeletonError, Split, join, references, split
from tests.corpora import corpus_files

CONTENT = bytes(range(256)) * 300


def _restored(cut: Split) -> bytes:
    return join(cut.skeleton, {p.name: p.data for p in cut.parts}.__getitem__)


def _encoded(content: bytes, line: int, line_end: bytes) -> bytes:
    digits = base64.b64encode(content)
    return line_end.join(digits[i : i + line] for i in range(0, len(digits), line))


def _message(body: bytes, line_end: bytes = b"\r\n", encoding: bytes = b"base64") -> bytes:
    head = [
        b"Content-Type: multipart/mixed; boundary=b",
        b"",
        b"--b",
        b"",
        b"hello",
        b"--b",
        b"Content-Type: image/gif",
        b"Content-Transfer-Encoding: " + encoding,
        b"",
        body,
        b"--b--",
    ]
    return line_end.join(head)


def test_a_small_message_costs_a_few_octets() -> None:
    raw = b"Subject: x\r\n\r\nbody"
    cut = split(raw)
    assert cut.parts == ()
    assert len(cut.skeleton) == len(raw) + 4
    assert _restored(cut) == raw


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("line", [1_000_000, 77, 76, 75, 60, 33])
@pytest.mark.parametrize("tail", [b"", b"EOL", b"EOLEOL", b" EOL"])
def test_base64_is_stored_decoded(line: int, line_end: bytes, tail: bytes) -> None:
    body = _encoded(CONTENT, line, line_end) + tail.replace(b"EOL", line_end)
    raw = _message(body, line_end)
    cut = split(raw)
    (part,) = cut.parts
    assert (part.data, part.section, part.decoded) == (CONTENT, "2", True)
    assert part.name == sha256(CONTENT).digest()
    assert len(cut.skeleton) < 400
    assert _restored(cut) == raw


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b.replace(b"\r\n", b"\n", 1),
        lambda b: b.replace(b"\r\n", b" \r\n", 5),
        lambda b: b"\r\n" + b,
        lambda b: b[:-1],
        lambda b: b + b"\r\n\r\n-- \r\nfooter",
        lambda b: b.replace(b"\r\n", b"").replace(b"A", b"A\r\n", 1),
        lambda b: b"A" * 72 + b"\r\n" + b,
    ],
)
def test_base64_that_would_not_come_back_is_stored_as_it_stands(spoil: object) -> None:
    assert callable(spoil)
    body = spoil(_encoded(CONTENT, 76, b"\r\n"))
    raw = _message(body)
    cut = split(raw)
    (part,) = cut.parts
    assert (part.data, part.decoded) == (body, False)
    assert _restored(cut) == raw


def test_a_large_text_is_its_own_content() -> None:
    text = b"one line of text\r\n" * 5_000
    raw = _message(text, encoding=b"8bit")
    cut = split(raw)
    assert [(p.data, p.decoded) for p in cut.parts] == [(text, True)]
    assert _restored(cut) == raw


def test_a_large_message_that_is_no_mime_is_cut_too() -> None:
    raw = b"no header" * 20_000
    cut = split(raw)
    assert len(cut.skeleton) < 60
    assert _restored(cut) == raw


def test_a_leaf_of_exactly_the_limit_stays() -> None:
    assert split(_message(b"x" * LARGE, encoding=b"8bit")).parts == ()
    assert split(_message(b"x" * (LARGE + 1), encoding=b"8bit")).parts != ()


def test_equal_parts_share_one_entry_however_they_are_encoded() -> None:
    one, other = _encoded(CONTENT, 76, b"\r\n"), _encoded(CONTENT, 60, b"\r\n")
    raw = b"\r\n".join(
        [b"Content-Type: multipart/mixed; boundary=b", b""]
        + [b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b for b in (one, other, one)]
        + [b"--b--", b"epilogue"]
    )
    cut = split(raw)
    assert len(cut.parts) == 1
    assert [r.line for r in references(cut.skeleton)] == [76, 60, 76]
    assert _restored(cut) == raw


def test_a_part_of_another_size_is_refused() -> None:
    cut = split(_message(_encoded(CONTENT, 76, b"\r\n")))
    with pytest.raises(SkeletonError):
        join(cut.skeleton, lambda _: CONTENT[1:])


@pytest.mark.parametrize(
    "skeleton",
    [b"", b"mS", b"mS\x02\x00", b"mS\x01", b"mS\x01\x01\x05abc", b"mS\x01\x03", b"mS\x01\x09"],
)
def test_a_damaged_skeleton_is_refused(skeleton: bytes) -> None:
    with pytest.raises(SkeletonError):
        join(skeleton, lambda _: b"")


@given(st.binary(max_size=60))
def test_any_skeleton_is_joined_or_refused(tail: bytes) -> None:
    try:
        join(b"mS\x01" + tail, lambda _: b"x")
    except SkeletonError:
        pass


_BODY = st.one_of(
    st.builds(
        _encoded, st.binary(max_size=99), st.integers(30, 80), st.sampled_from([b"\r\n", b"\n"])
    ),
    st.binary(max_size=90),
    st.text("AZaz09+/= \r\n", max_size=90).map(str.encode),
)


@settings(max_examples=300)
@given(
    st.lists(_BODY, min_size=1, max_size=3),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"base64", b"8bit", b"quoted-printable", b"BASE64 (x)"]),
    st.binary(max_size=8),
)
def test_join_of_split_is_the_message(
    bodies: list[bytes], line_end: bytes, encoding: bytes, tail: bytes
) -> None:
    raw = b"".join(_message(body, line_end, encoding) for body in bodies) + tail
    cut = split(raw, large=8)
    assert _restored(cut) == raw
    for part in cut.parts:
        assert part.name == sha256(part.data).digest()


def test_join_of_split_is_the_message_for_every_message_of_the_public_suites() -> None:
    for path in corpus_files("mime"):
        raw = path.read_bytes()
        assert _restored(split(raw, large=50)) == raw, path.name

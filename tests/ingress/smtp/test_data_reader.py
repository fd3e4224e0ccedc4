"""The reader of DATA against a naive one, in any cuts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.smtp.data_reader import DataReader, Message, Refusal

LIMIT = 40

# Pieces of which hard cases are made; hypothesis puts them together.
PIECES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\0", b"\r\n.\r\n", b"\r\n.", b"xyz"]
    ),
    max_size=24,
).map(b"".join)


def naive(stream: bytes, limit: int = LIMIT) -> tuple[Message | Refusal | None, bytes]:
    """Return what the message in `stream` is, and what follows it: as RFC 5321 section 4.5.2."""
    end = (b"\r\n" + stream).find(b"\r\n.\r\n")
    if end < 0:
        return None, b""
    text, rest = stream[:end], stream[end + 3 :]
    lines = [line[1:] if line.startswith(b".") else line for line in text.split(b"\r\n")]
    content = b"\r\n".join(lines)
    if len(content) > limit:
        return Refusal("too-large"), rest
    if b"\r" in content.replace(b"\r\n", b"") or b"\n" in content.replace(b"\r\n", b""):
        return Refusal("bare-line-end"), rest
    if b"\0" in content:
        return Refusal("nul"), rest
    return Message(content), rest


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[Message | Refusal | None, bytes]:
    reader = DataReader(limit)
    for i, chunk in enumerate(chunks):
        buffer = bytearray(chunk)
        found = reader.feed(buffer)
        if found is not None:
            return found, bytes(buffer) + b"".join(chunks[i + 1 :])
        assert not buffer
    return None, b""


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(p % (len(stream) + 1) for p in places)})
    return [stream[a:b] for a, b in pairwise(marks)]


@given(PIECES, st.lists(st.integers(0, 1 << 16), max_size=8))
def test_any_cuts_give_what_the_naive_reader_gives(stream: bytes, places: list[int]) -> None:
    assert read(cut(stream, places)) == naive(stream)


@given(PIECES)
def test_byte_by_byte_gives_what_the_naive_reader_gives(stream: bytes) -> None:
    assert read([bytes([b]) for b in stream]) == naive(stream)


@given(st.lists(st.text(".ab", max_size=4), max_size=8), st.integers(1, 7))
def test_a_message_that_was_stuffed_comes_out_as_it_was(lines: list[str], size: int) -> None:
    content = "".join(line + "\r\n" for line in lines).encode()
    stuffed = b"".join(b"." * line.startswith(".") + line.encode() + b"\r\n" for line in lines)
    stream = stuffed + b".\r\nNOOP\r\n"
    chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert read(chunks, 100) == (Message(content), b"NOOP\r\n")


@pytest.mark.parametrize("size", [0, 1, LIMIT - 2, LIMIT - 1, LIMIT])
def test_a_message_of_the_limit_is_taken(size: int) -> None:
    content = (b"x" * (size - 2) + b"\r\n") if size >= 2 else b""
    assert read([content + b".\r\n"]) == (Message(content), b"")


def test_dots_of_stuffing_do_not_count_for_the_limit() -> None:
    content = b".\r\n" * (LIMIT // 3)
    stuffed = b"..\r\n" * (LIMIT // 3)
    assert read([bytes([b]) for b in stuffed + b".\r\n"]) == (Message(content), b"")


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, 10 * LIMIT])
def test_a_larger_message_is_read_to_its_end_and_refused(size: int) -> None:
    stream = b"x" * size + b"\r\n.\r\nQUIT\r\n"
    for chunks in ([stream], [bytes([b]) for b in stream]):
        assert read(chunks) == (Refusal("too-large"), b"QUIT\r\n")


def test_memory_is_bounded_while_a_message_that_is_too_large_is_drained() -> None:
    held: list[int] = []

    def hold(octets: int) -> bool:
        held.append(octets)
        return True

    reader = DataReader(1000, hold)
    for _ in range(1000):
        assert reader.feed(bytearray(b"y" * 500)) is None
    assert max(held) <= 2000
    assert held[-1] < 10
    assert reader.feed(bytearray(b"\r\n.\r\n")) == Refusal("too-large")


def test_without_memory_a_message_is_drained_and_refused() -> None:
    reader = DataReader(1000, lambda octets: octets < 100)
    assert reader.feed(bytearray(b"y" * 50)) is None
    assert reader.feed(bytearray(b"y" * 50)) is None
    assert reader.feed(bytearray(b"y" * 50)) is None
    rest = bytearray(b"\r\n.\r\nRSET")
    assert reader.feed(rest) == Refusal("no-memory")
    assert rest == b"RSET"

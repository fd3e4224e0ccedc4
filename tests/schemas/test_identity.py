"""Identifiers follow from what they name, and UUIDv7 ascend with time."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import identity
from schemas.partition import partition_of

NOW = 1_700_000_000_123_456


def test_a_derived_identifier_is_a_version_5_uuid() -> None:
    assert uuid.UUID(identity.derived("a", b"b")).version == 5


def test_a_timed_identifier_is_a_version_7_uuid_that_tells_its_millisecond() -> None:
    made = identity.timed(NOW, bytes(10))
    assert uuid.UUID(made).version == 7
    assert identity.time_of(made) == NOW // 1000 * 1000


def test_a_derived_identifier_tells_no_time() -> None:
    assert identity.time_of(identity.derived("a")) is None


@given(st.integers(0, 2**47), st.integers(1, 10**6), st.binary(min_size=10, max_size=10))
def test_timed_identifiers_ascend(now: int, later: int, random: bytes) -> None:
    assert identity.timed(now, random)[:18] <= identity.timed(now + later, bytes(10))[:18]


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_names_give_different_identifiers(one: list[str], other: list[str]) -> None:
    assert (identity.derived(*one) == identity.derived(*other)) == (one == other)


@given(st.binary(min_size=16, max_size=16))
def test_octets_and_identifier_are_the_same(octets: bytes) -> None:
    assert identity.to_bytes(identity.from_bytes(octets)) == octets


@pytest.mark.parametrize("wrong", ["", "abc", "zz" * 16])
def test_what_is_no_identifier_has_no_octets(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|identifier"):
        identity.to_bytes(wrong)


@pytest.mark.parametrize(
    ("key", "of_64", "of_4"),
    [
        ("", 25, 1),
        ("a", 60, 0),
        ("ab", 42, 2),
        ("abc", 27, 3),
        ("abcd", 52, 0),
        ("example", 42, 2),
        ("00000000-0000-5000-8000-000000000000", 33, 1),
        ("018bcfe5-687b-7000-8000-000000000000", 17, 1),
        ("ünï", 19, 3),
        ("mailbox.events", 7, 3),
    ],
)
def test_keys_go_to_the_partitions_that_kafka_gives_them(key: str, of_64: int, of_4: int) -> None:
    assert partition_of(key, 64) == of_64
    assert partition_of(key, 4) == of_4

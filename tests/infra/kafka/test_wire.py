from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.kafka.wire import NotFramed, frame, unframe


def test_the_head_is_a_zero_and_the_id_big_endian() -> None:
    assert frame(0x01020304, b"avro") == b"\x00\x01\x02\x03\x04avro"


@given(st.integers(0, 2**32 - 1), st.binary())
def test_a_frame_is_undone(schema_id: int, avro: bytes) -> None:
    assert unframe(frame(schema_id, avro)) == (schema_id, avro)


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x01x"])
def test_other_bytes_are_not_framed(value: bytes) -> None:
    with pytest.raises(NotFramed):
        unframe(value)

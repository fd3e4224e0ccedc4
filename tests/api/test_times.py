from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rest.times import iso, parse


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_999, "1970-01-01T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000_000, None),
        (-(2**63), None),
        (2**63 - 1, None),
    ],
)
def test_a_time_is_written(micros: int, text: str | None) -> None:
    assert iso(micros) == text


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_is_read_back(millis: int) -> None:
    text = iso(millis * 1000)
    assert text is not None
    assert parse(text) == millis * 1000


@pytest.mark.parametrize("text", ["", "now", "2026-01-31", "2026-01-31T12:00:00", "1e9"])
def test_a_time_without_zone_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)

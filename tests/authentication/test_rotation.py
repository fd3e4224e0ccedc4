"""When a signing key is published, signs, and is withdrawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.authentication.rotation import KEPT, LEAD, State, states

DAY = 24 * 3600 * 1_000_000


@pytest.mark.parametrize(
    ("made", "now", "expected"),
    [
        ([], 0, []),
        ([0], 0, ["signing"]),
        ([0], 900 * DAY, ["signing"]),
        ([0, 100 * DAY], 100 * DAY, ["signing", "next"]),
        ([0, 100 * DAY], 100 * DAY + LEAD - 1, ["signing", "next"]),
        ([0, 100 * DAY], 100 * DAY + LEAD, ["published", "signing"]),
        ([0, 100 * DAY], 100 * DAY + LEAD + KEPT - 1, ["published", "signing"]),
        ([0, 100 * DAY], 100 * DAY + LEAD + KEPT, ["empty", "signing"]),
        # Rotated again before the second one signs, and just after it began to.
        ([0, DAY, DAY], DAY + LEAD, ["published", "published", "signing"]),
        ([0, DAY, 2 * DAY], DAY + LEAD, ["published", "signing", "next"]),
    ],
)
def test_a_key_goes_through_its_states(made: list[int], now: int, expected: list[State]) -> None:
    assert states(made, now) == expected


@given(st.lists(st.integers(0, 100 * DAY), min_size=1).map(sorted), st.integers(0, 200 * DAY))
def test_exactly_one_key_signs_at_any_time(made: list[int], later: int) -> None:
    assert states(made, made[0] + later).count("signing") == 1


@given(st.lists(st.integers(0, 100 * DAY), min_size=1).map(sorted), st.integers(0, 200 * DAY))
def test_what_signs_or_signed_a_week_ago_is_published(made: list[int], later: int) -> None:
    before, now = states(made, made[0] + later), states(made, made[0] + later + KEPT - 1)
    assert all(b != "signing" or n != "empty" for b, n in zip(before, now, strict=True))

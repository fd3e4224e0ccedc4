from __future__ import annotations

import pytest

from infra.limits.memory import MemoryLimits
from infra.limits.none import NoLimits
from infra.ports import Limits


def test_hits_within_the_limit_pass_and_the_next_one_waits() -> None:
    limits: Limits = MemoryLimits({"requests": "3/hour"})
    assert [limits.hit("requests", "ada") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert 0 < limits.hit("requests", "ada") <= 3600


def test_keys_and_names_are_counted_apart() -> None:
    limits = MemoryLimits({"requests": "1/hour", "logins": "1/hour"})
    assert limits.hit("requests", "ada") == 0
    assert limits.hit("requests", "bob") == 0
    assert limits.hit("logins", "ada") == 0
    assert limits.hit("requests", "ada") > 0


def test_a_name_without_a_limit_passes() -> None:
    assert MemoryLimits({}).hit("requests", "ada") == 0


def test_a_limit_that_cant_be_read_is_refused() -> None:
    with pytest.raises(ValueError):
        MemoryLimits({"requests": "many"})


def test_without_limits_everything_passes() -> None:
    limits: Limits = NoLimits()
    assert {limits.hit("requests", "ada") for _ in range(2000)} == {0.0}

"""What every parts store does."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest

from infra.ports import PartMissing, PartStore
from tests.contracts.log import mail_id


def part(n: int, size: int = 100) -> tuple[bytes, bytes]:
    data = (b"part %d " % n) * size
    return sha256(data).digest(), data


class PartStoreContract:
    """Port PartStore."""

    @pytest.fixture
    def parts(self) -> PartStore:
        raise AssertionError("the adapter's test gives the store")

    @pytest.fixture
    def reopen(self) -> Callable[[], PartStore]:
        raise AssertionError("the adapter's test gives a second store")

    @pytest.mark.parametrize("size", [0, 1, 10_000, 500_000])
    def test_a_part_is_given_back(self, parts: PartStore, size: int) -> None:
        name, data = part(1, size)
        parts.put(mail_id(1), {name: data})
        assert parts.get(name) == data

    def test_several_parts_are_put_at_once(self, parts: PartStore) -> None:
        given = dict(part(n) for n in range(5))
        parts.put(mail_id(1), given)
        assert {n: parts.get(n) for n in given} == given

    def test_a_part_that_is_not_there_is_missing(self, parts: PartStore) -> None:
        with pytest.raises(PartMissing):
            parts.get(part(1)[0])

    def test_a_part_is_put_again_by_the_same_and_by_another_mail(self, parts: PartStore) -> None:
        name, data = part(1)
        for n in (1, 1, 2):
            parts.put(mail_id(n), {name: data})
        assert parts.get(name) == data

    def test_putting_nothing_is_nothing(self, parts: PartStore) -> None:
        parts.put(mail_id(1), {})

    def test_a_part_is_there_for_another(
        self, parts: PartStore, reopen: Callable[[], PartStore]
    ) -> None:
        name, data = part(1)
        parts.put(mail_id(1), {name: data})
        assert reopen().get(name) == data

"""Each fuzz target holds for its seeds and some hundred mutations of them."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.fuzz.mutate import mutations
from tests.fuzz.targets import TARGETS

INPUTS = 300


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_holds_for_some_hundred_mutations(name: str) -> None:
    target = TARGETS[name]
    for data in islice(mutations(target.seeds(), 1), INPUTS):
        target.run(data)


def test_mutations_are_the_same_for_the_same_seed() -> None:
    first, again = (list(islice(mutations([b"abc", b"def"], 7), 50)) for _ in range(2))
    assert first == again

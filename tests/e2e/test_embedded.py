"""The end-to-end suite on the embedded profile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.suite import EndToEnd
from tests.system import System


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("embedded") / "data")
    made.add_account("ann")
    made.add_account("bob")
    made.start()
    yield made
    assert made.stop() == 0


class TestEmbedded(EndToEnd):
    """The suite."""

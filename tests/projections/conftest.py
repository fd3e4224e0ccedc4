from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.projections.kit import Kit


@pytest.fixture
def kit(tmp_path: Path) -> Generator[Kit]:
    made = Kit(tmp_path)
    yield made
    made.close()

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installations import EMBEDDED, Installations, Profile


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> Profile:
    """The profile that a test asks for (see `on_every_profile`), else the embedded one."""
    chosen: Profile = getattr(request, "param", EMBEDDED)
    return chosen


@pytest.fixture
def install(
    profile: Profile, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Installations]:
    """Make installations of a profile; they are stopped at the end of the test."""
    made = Installations(profile, tmp_path, profile.environment(request))
    yield made
    made.stop()

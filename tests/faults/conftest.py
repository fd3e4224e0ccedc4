from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installations import PROFILES, Installations, Profile


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    """Each profile that the house runs on."""
    chosen: Profile = request.param
    return chosen


@pytest.fixture
def install(
    profile: Profile, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Installations]:
    """Make installations of a profile; they are stopped at the end of the test."""
    made = Installations(profile, tmp_path, profile.environment(request))
    yield made
    made.stop()

"""Looking at the files of an installation, as `doctor` does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from infra.sqlite.check import damage, library_version
from infra.sqlite.connection import OLDEST
from mailfold.settings import Settings
from mailfold.wiring import House


def sqlite_version() -> tuple[str, bool]:
    """Return the version of SQLite in use, and whether it is one that loses nothing."""
    version = library_version()
    return version, tuple(map(int, version.split("."))) >= OLDEST


def log_file(settings: Settings) -> Path:
    """Return the file without which there is no mail here."""
    return settings.log_path if settings.profile == "embedded" else settings.state_path


def damages(house: House) -> Iterator[tuple[str, str]]:
    """Read every file through; yield the name of each, and what is wrong with it or "".

    Raises EngineDown for one that can't be read at all.
    """
    s = house.settings
    for path in (log_file(s), s.keys_path, *(v.live_file() for v in house.versions.values())):
        yield path.name, damage(path)
    yield s.accounts_path.name, house.directory.damage()

from __future__ import annotations

from pathlib import Path

import pytest

from mailfold.folders import make_folder
from mailfold.settings import load
from mailfold.wiring import open_house


def test_each_folder_that_is_made_is_named_durably_by_the_one_above_it(tmp_path: Path) -> None:
    synced: list[Path] = []
    make_folder(tmp_path / "a" / "b", synced.append)
    assert synced == [tmp_path, tmp_path / "a"]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_there_is_not_synced_again(tmp_path: Path) -> None:
    synced: list[Path] = []
    make_folder(tmp_path, synced.append)
    assert synced == []


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="exists"):
        make_folder(tmp_path / "data")


def test_an_installation_has_its_folders_made_so(tmp_path: Path) -> None:
    with open_house(load(data=tmp_path / "new" / "data")) as house:
        house.prepare()
    made = sorted(p.name for p in (tmp_path / "new" / "data").iterdir() if p.is_dir())
    assert made == ["parts", "run", "views"]

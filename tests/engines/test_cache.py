from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.engines.cache import cache_folder, fetched
from infra.locks import LockHeld, locked


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    fetched(tmp_path, "tool", lambda folder: (folder / "jar").touch())
    found = fetched(tmp_path, "tool", lambda _: pytest.fail("fetched twice"))
    assert [each.name for each in found.iterdir()] == ["jar"]


def test_an_interrupted_fetch_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(tmp_path, "tool", interrupted)
    assert not (tmp_path / "tool").exists()
    found = fetched(tmp_path, "tool", lambda folder: (folder / "whole").touch())
    assert [each.name for each in found.iterdir()] == ["whole"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tool", "tool.lock"]


def test_of_several_that_want_it_at_once_one_fetches(tmp_path: Path) -> None:
    calls: list[Path] = []

    def slow(folder: Path) -> None:
        calls.append(folder)
        time.sleep(0.1)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetched(tmp_path, "tool", slow), range(4)))
    assert found == [tmp_path / "tool"] * 4
    assert len(calls) == 1


def test_a_lock_that_somebody_keeps_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with locked(file, 1.0), pytest.raises(LockHeld, match=str(file)), locked(file, 0.1):
        pytest.fail("two holders")
    with locked(file, 0.1):
        pass


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"MAILFOLD_ENGINES_CACHE": "/x", "XDG_CACHE_HOME": "/c"}, "/x"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/mailfold/engines"),
    ],
)
def test_the_cache_folder_follows_the_environment(environment: dict[str, str], folder: str) -> None:
    assert cache_folder(environment) == Path(folder)

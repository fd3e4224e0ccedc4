from __future__ import annotations

from pathlib import Path

import pytest

from infra.engines import java
from infra.engines.engine import EngineError


def install(home: Path, version: str, code: int = 0) -> Path:
    executable = home / "bin/java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {code}\n")
    executable.chmod(0o755)
    return home


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "jvm"
    for version in ("1.8.0_402", "11.0.22", "21.0.2", "25-ea"):
        install(folder / f"java-{version}", version)
    install(folder / "java-broken", "17.0.1", code=1)
    monkeypatch.setattr(java, "INSTALLED_BELOW", (folder,))
    return folder


@pytest.mark.parametrize(
    ("version", "feature"),
    [("17.0.15", 17), ("21", 21), ("25-ea", 25), ("1.8.0_402", 8), ("11.0.22", 11)],
)
def test_the_feature_version_is_read(tmp_path: Path, version: str, feature: int) -> None:
    found = java.installation(install(tmp_path / "home", version))
    assert found is not None
    assert found.feature == feature


def test_a_java_that_does_not_run_is_none(tmp_path: Path) -> None:
    assert java.installation(install(tmp_path / "home", "17.0.1", code=1)) is None
    assert java.installation(tmp_path / "absent") is None


@pytest.mark.parametrize(("minimum", "chosen"), [(17, 21), (8, 8), (22, 25), (21, 21)])
def test_the_oldest_that_is_new_enough_is_taken(installed: Path, minimum: int, chosen: int) -> None:
    assert java.java_for(minimum, {"PATH": "/nowhere"}).feature == chosen


def test_java_home_comes_first_when_it_is_new_enough(installed: Path, tmp_path: Path) -> None:
    home = install(tmp_path / "mine", "23.0.1")
    environment = {"JAVA_HOME": str(home), "PATH": "/nowhere"}
    assert java.java_for(17, environment).home == home
    assert java.java_for(24, environment).feature == 25


def test_the_java_on_path_is_found_through_its_links(installed: Path, tmp_path: Path) -> None:
    home = install(tmp_path / "real", "22.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").symlink_to(home / "bin/java")
    assert java.java_for(17, {"PATH": str(tmp_path / "bin")}).home == home


def test_none_new_enough_after_installing_is_an_error_that_says_what_to_do(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(java.debian, "install", lambda packages, _: asked.append(packages))
    with pytest.raises(EngineError, match="JAVA_HOME"):
        java.java_for(99, {"PATH": "/nowhere"})
    assert asked == [["default-jre-headless"]]

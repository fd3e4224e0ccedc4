from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.engines import debian
from infra.engines.engine import EngineError


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_without_apt_the_error_names_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"Java 17 is missing; install it \(jre\).*no apt-get"):
        debian.install(["jre"], "Java 17")


def test_without_root_and_sudo_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineError, match="needs root"):
        debian.install(["jre"], "Java 17")


def test_a_failing_apt_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "apt-get", "echo E: no such package; exit 100")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EngineError, match="E: no such package"):
        debian.install(["jre"], "Java 17")


def test_lists_are_updated_and_packages_installed_without_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {tmp_path}/calls')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian.install(["jre", "maven"], "Java 17")
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update.startswith("noninteractive ")
    assert update.endswith(" update")
    assert install.endswith(" install --no-install-recommends jre maven")


def test_a_package_is_unpacked_into_a_folder_and_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "apt-get", f'echo "$*" >> {tmp_path}/calls; : > mta_1_all.deb')
    program(tmp_path, "dpkg-deb", f'echo "$1 ${{2##*/}} $3" >> {tmp_path}/calls')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.chdir(tmp_path)
    debian.unpack("mta", tmp_path / "root", "An MTA")
    update, download, unpacked = (tmp_path / "calls").read_text().splitlines()
    assert update.endswith(" update")
    assert download.endswith(" download mta")
    assert unpacked == f"-x mta_1_all.deb {tmp_path / 'root'}"


def test_without_dpkg_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "apt-get", f"touch {tmp_path}/called")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"An MTA is missing \(package mta\).*no dpkg-deb"):
        debian.unpack("mta", tmp_path, "An MTA")
    assert not (tmp_path / "called").exists()

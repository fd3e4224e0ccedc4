"""Packages of Debian and its relatives: installed, or only unpacked into a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.engines.engine import EngineError

_INSTALL_SECONDS = 900.0
_OPTIONS = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]


def install(packages: list[str], wanted_for: str) -> None:
    """Install packages through apt-get.

    Raises EngineError, naming the packages, when there is no apt-get, we may not use it, or
    it fails.
    """
    names = " ".join(packages)
    advice = f"{wanted_for} is missing; install it ({names})"
    apt = [*_as_root(advice), _program("apt-get", advice), *_OPTIONS]
    _run([*apt, "update"], advice)
    _run([*apt, "install", "--no-install-recommends", *packages], advice)


def unpack(package: str, folder: Path, wanted_for: str) -> None:
    """Lay the files of a package under `folder`; nothing of it is set up, started or registered.

    Raises EngineError, naming the package, when that can't be done.
    """
    advice = f"{wanted_for} is missing (package {package})"
    apt = _program("apt-get", advice)
    unpacker = _program("dpkg-deb", advice)
    _run([*_as_root(advice), apt, *_OPTIONS, "update"], advice)
    with tempfile.TemporaryDirectory() as downloads:
        _run([apt, *_OPTIONS, "download", package], advice, Path(downloads))
        for file in Path(downloads).glob("*.deb"):
            _run([unpacker, "-x", str(file), str(folder)], advice)


def _program(name: str, advice: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"{advice}: this system has no {name}")
    return found


def _as_root(advice: str) -> list[str]:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        raise EngineError(f"{advice}: apt-get needs root")
    return [sudo, "-n"]


def _run(command: list[str], advice: str, folder: Path | None = None) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{advice}: {Path(command[0]).name} took more than 15 minutes") from None
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-1:] or ["no output"]
        raise EngineError(f"{advice}: {Path(command[0]).name} failed: {last[0]}")

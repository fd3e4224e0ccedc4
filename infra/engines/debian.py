"""Packages of Debian and its relatives, installed when a needed program is absent."""

from __future__ import annotations

import os
import shutil
import subprocess

from infra.engines.engine import EngineError

_INSTALL_SECONDS = 900.0


def install(packages: list[str], wanted_for: str) -> None:
    """Install packages through apt-get.

    Raises EngineError, naming the packages, when there is no apt-get, we may not use it, or
    it fails.
    """
    names = " ".join(packages)
    advice = f"{wanted_for} is missing; install it ({names})"
    apt = shutil.which("apt-get")
    if apt is None:
        raise EngineError(f"{advice}: this system has no apt-get")
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None:
            raise EngineError(f"{advice}: apt-get needs root")
        prefix = [sudo, "-n"]
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    _run([*prefix, apt, *options, "update"], advice)
    _run([*prefix, apt, *options, "install", "--no-install-recommends", *packages], advice)


def _run(command: list[str], advice: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{advice}: apt-get took more than 15 minutes") from None
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-1:] or ["no output"]
        raise EngineError(f"{advice}: apt-get failed: {last[0]}")

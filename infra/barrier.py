"""Points at which a process can be held from outside, for tests that kill it there.

With MAILFOLD_BARRIER naming a folder, a process that comes to a point for which the folder has a
file of that name takes the file away, leaves `POINT.PID` in its place and waits to be killed.
Without the variable a point costs nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from infra.ports import Checkpoint

VARIABLE = "MAILFOLD_BARRIER"


def from_environment() -> Checkpoint:
    """Return the checkpoint that the environment asks for."""
    folder = os.environ.get(VARIABLE, "")
    return _Barrier(Path(folder)) if folder else _pass


def _pass(_point: str) -> None:
    return None


class _Barrier:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, point: str) -> None:
        try:
            (self._folder / point).rename(self._folder / f"{point}.{os.getpid()}")
        except FileNotFoundError:
            return
        while True:
            signal.pause()

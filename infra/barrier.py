"""Points at which a process can be held from outside, for tests that kill it there.

With MAILFOLD_BARRIER naming a folder, a process that comes to a point for which the folder has a
file of that name takes the file away, leaves `POINT.PID` in its place and waits there to be killed,
or to be let go by taking that away. Without the variable a point costs nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from infra.ports import Checkpoint

VARIABLE = "MAILFOLD_BARRIER"

_LOOK = 0.01
"""Seconds between two looks for whether it is let go."""


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
        held = self._folder / f"{point}.{os.getpid()}"
        try:
            (self._folder / point).rename(held)
        except FileNotFoundError:
            return
        while held.exists():
            time.sleep(_LOOK)

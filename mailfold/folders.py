"""Folders of the installation: for their owner only, and there after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

Sync = Callable[[Path], None]


def sync_folder(path: Path) -> None:
    """Have the names in a folder survive a power cut: what is synced in a file is not its name."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path, sync: Sync = sync_folder) -> None:
    """Make `path` and the folders above it that are not there, durably. Raises OSError."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent, sync)
    path.mkdir(mode=0o700, exist_ok=True)
    sync(path.parent)

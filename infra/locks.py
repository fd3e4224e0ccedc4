"""A lock between processes, held on a file: let go by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.02


class LockHeld(Exception):
    """Somebody else has had the lock for too long; the text names the file."""


@contextmanager
def locked(file: Path, seconds: float) -> Generator[None]:
    """Hold the lock on `file`, which is made if absent and stays.

    Excludes other threads too. Raises LockHeld when it is not ours after so many seconds.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, file, seconds)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeld(
                    f"another process has held {file} for {seconds:.0f} s: see what it does"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return

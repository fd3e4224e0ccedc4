"""A process on this machine, named so that it is never mistaken for another one.

A pid alone is not a name: after a crash or a reboot the same number belongs to somebody else.
The pid, its start time in clock ticks since boot, and the id of that boot are one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process: pid, start time in clock ticks since boot, and the boot."""

    pid: int
    start_ticks: int
    boot_id: str

    def is_alive(self) -> bool:
        """Whether this very process runs; one that has ended and was not waited for does not."""
        found = _stat(self.pid)
        if found is None or self.boot_id != _boot_id():
            return False
        state, start_ticks = found
        if start_ticks != self.start_ticks:
            return False
        if state in "ZX":
            _reap(self.pid)
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it runs."""
        if not self.is_alive():
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return  # it ended between the two lines

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so many seconds; whether it has."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def spawn(argv: Sequence[str], environment: Mapping[str, str], output: Path) -> ProcessId:
    """Start a process in a session of its own, so that it outlives us and our terminal.

    What it prints is appended to the file `output`. Raises OSError when argv[0] cannot be run.
    """
    to_log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        list(argv),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), to_log, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # A shell that starts us in the background ignores SIGINT, and that is inherited.
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        setsigmask=[],
    )
    found = _stat(pid)
    # A child that we have not waited for keeps its entry, so there always is one.
    start_ticks = found[1] if found is not None else -1
    return ProcessId(pid, start_ticks, _boot_id())


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a pid, from proc(5); None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name is in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

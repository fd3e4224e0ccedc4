"""How a process of the house ends: on SIGTERM, on Ctrl-C, or when its supervisor is gone."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from mailfold.supervisor import Inherited

GRACE = 10.0
"""Seconds that a process whose supervisor died has to end by itself."""

logger = logging.getLogger(__name__)


class Stop:
    """A flag for loops that block; `wait` returns early when it is set."""

    def __init__(self, inherited: Inherited) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        when_supervisor_dies(inherited, self._event.set)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()

    def set(self) -> None:
        """Say that it is time to stop."""
        self._event.set()

    def is_set(self) -> bool:
        """Say whether it is time to stop."""
        return self._event.is_set()

    def __call__(self) -> bool:
        """Say whether it is time to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, or return at once when it is time to stop."""
        self._event.wait(seconds)


def when_supervisor_dies(inherited: Inherited, stop: Callable[[], None]) -> None:
    """Call `stop` in a thread when the supervisor is gone, and make sure that the process ends."""
    fd = inherited.alive_fd()
    if fd is None:
        return

    def watch() -> None:
        # Nothing is ever written to this pipe: a read returns only at its end.
        os.read(fd, 1)
        logger.warning("the supervisor is gone; stopping")
        stop()
        timer = threading.Timer(GRACE, os._exit, args=(3,))
        timer.daemon = True
        timer.start()

    threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()


def side_by_side(works: Sequence[Callable[[], None]], stop: Callable[[], None]) -> None:
    """Run each in a thread of its own until all have ended.

    When one fails, `stop` ends the others, and what it raised is raised.
    """
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as e:  # noqa: BLE001 (raised by the thread that waits)
            failures.append(e)
            stop()

    threads = [threading.Thread(target=run, args=(w,), daemon=True) for w in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
